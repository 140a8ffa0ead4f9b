// The Python binding of the CUDA form of non_max_suppression. Memory comes as addresses: what they mean was
// checked in Python.
#include "tundish/cuda/non_max_suppression.h"

#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <array>
#include <string>
#include <tuple>

#include "../bindings.h"

namespace nb = nanobind;
namespace cuda = tundish::cuda;

namespace {

// Batch, boxes, classes and detections of an image.
using Size = std::array<std::int64_t, 4>;
// Indices, classes, scores and counts.
using Addresses = std::array<std::uintptr_t, 4>;
// Address, shape and strides in elements.
using Strided = std::tuple<std::uintptr_t, std::array<std::int64_t, 3>, std::array<std::int64_t, 3>>;

tundish::StridedView view(const Strided& array) {
    const auto& [address, shape, strides] = array;
    return {reinterpret_cast<const float*>(address),
            {shape[0], shape[1], shape[2]},
            {strides[0], strides[1], strides[2]}};
}

std::size_t non_max_suppression_workspace_bytes(const Size& size, const std::string& box_format,
                                                bool multi_label) {
    return cuda::non_max_suppression_workspace_bytes({size[0], size[1], size[2], size[3]},
                                                     tundish::parse_box_format(box_format), multi_label);
}

void non_max_suppression_into(const Addresses& destination, std::int64_t maximum, const Strided& boxes,
                              const Strided& scores, const std::string& box_format, double score_threshold,
                              double iou_threshold, bool class_agnostic, bool multi_label,
                              cuda::Workspace& workspace, std::uintptr_t stream) {
    const tundish::Detections detections{
        reinterpret_cast<std::int32_t*>(destination[0]), reinterpret_cast<std::int32_t*>(destination[1]),
        reinterpret_cast<float*>(destination[2]), reinterpret_cast<std::int32_t*>(destination[3]), maximum};
    const nb::gil_scoped_release release;
    cuda::non_max_suppression_into(
        detections, view(boxes), view(scores),
        {tundish::parse_box_format(box_format), static_cast<float>(score_threshold),
         static_cast<float>(iou_threshold), class_agnostic, multi_label},
        workspace, reinterpret_cast<cuda::Stream>(stream));
}

}  // namespace

void tundish::bind_cuda_non_max_suppression(nb::module_& module) {
    module.def("cuda_non_max_suppression_workspace_bytes", &::non_max_suppression_workspace_bytes,
               nb::arg("size"), nb::arg("box_format"), nb::arg("multi_label"));
    module.def("cuda_non_max_suppression_into", &::non_max_suppression_into, nb::arg("destination"),
               nb::arg("max_detections"), nb::arg("boxes"), nb::arg("scores"), nb::arg("box_format"),
               nb::arg("score_threshold"), nb::arg("iou_threshold"), nb::arg("class_agnostic"),
               nb::arg("multi_label"), nb::arg("workspace"), nb::arg("stream"));
}
