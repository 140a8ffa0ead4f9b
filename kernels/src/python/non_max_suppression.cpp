// The Python binding of non_max_suppression.
#include "tundish/non_max_suppression.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <string>

#include "bindings.h"

namespace nb = nanobind;

namespace {

using Strided = nb::ndarray<const float, nb::ndim<3>, nb::device::cpu>;
template <typename T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Counts = nb::ndarray<std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

tundish::StridedView view(const Strided& array) {
    tundish::StridedView view{array.data(), {}, {}};
    for (std::size_t axis = 0; axis < 3; ++axis) {
        view.shape[axis] = static_cast<std::int64_t>(array.shape(axis));
        view.strides[axis] = array.stride(axis);
    }
    return view;
}

void non_max_suppression_into(const Matrix<std::int32_t>& indices, const Matrix<std::int32_t>& classes,
                              const Matrix<float>& kept_scores, const Counts& counts, const Strided& boxes,
                              const Strided& scores, const std::string& box_format, double score_threshold,
                              double iou_threshold, bool class_agnostic, bool multi_label) {
    const std::size_t batch = boxes.shape(0);
    const std::size_t maximum = indices.shape(1);
    if (indices.shape(0) != batch || classes.shape(0) != batch || kept_scores.shape(0) != batch ||
        counts.shape(0) != batch || classes.shape(1) != maximum || kept_scores.shape(1) != maximum) {
        throw nb::value_error("indices, classes and scores must be [batch, maximum], counts [batch]");
    }
    const tundish::Detections detections{indices.data(), classes.data(), kept_scores.data(), counts.data(),
                                         static_cast<std::int64_t>(maximum)};
    const tundish::StridedView box_view = view(boxes);
    const tundish::StridedView score_view = view(scores);
    const nb::gil_scoped_release release;
    tundish::non_max_suppression_into(
        detections, box_view, score_view,
        {tundish::parse_box_format(box_format), static_cast<float>(score_threshold),
         static_cast<float>(iou_threshold), class_agnostic, multi_label});
}

}  // namespace

void tundish::bind_non_max_suppression(nb::module_& module) {
    module.attr("MAXIMUM_BOXES") = tundish::kMaximumBoxes;
    module.attr("MAXIMUM_CLASSES") = tundish::kMaximumClasses;
    module.attr("MAXIMUM_DETECTIONS") = tundish::kMaximumDetections;
    module.def("non_max_suppression_into", &::non_max_suppression_into, nb::arg("indices").noconvert(),
               nb::arg("classes").noconvert(), nb::arg("kept_scores").noconvert(),
               nb::arg("counts").noconvert(), nb::arg("boxes").noconvert(), nb::arg("scores").noconvert(),
               nb::arg("box_format"), nb::arg("score_threshold"), nb::arg("iou_threshold"),
               nb::arg("class_agnostic"), nb::arg("multi_label"));
}
