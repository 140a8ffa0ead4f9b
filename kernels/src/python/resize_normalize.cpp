// The Python binding of resize_normalize.
#include "tundish/resize_normalize.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <string>
#include <vector>

#include "bindings.h"

namespace nb = nanobind;

namespace {

using Image = nb::ndarray<const std::uint8_t, nb::shape<-1, -1, 3>, nb::device::cpu>;
using Output = nb::ndarray<float, nb::shape<-1, 3, -1, -1>, nb::c_contig, nb::device::cpu>;

tundish::ImageView view(const Image& image) {
    const auto height = static_cast<std::int64_t>(image.shape(0));
    const auto width = static_cast<std::int64_t>(image.shape(1));
    // NumPy leaves the stride of an axis of length one undefined.
    if (image.stride(2) != 1 || (width > 1 && image.stride(1) != 3)) {
        throw nb::value_error("the pixels of a row of an image must be adjacent");
    }
    return {image.data(), height, width, height > 1 ? image.stride(0) : 3 * width};
}

void resize_normalize_into(const Output& destination, const std::vector<Image>& images,
                           const std::vector<std::array<std::int64_t, 4>>& windows, const std::string& filter,
                           double scale, const std::array<double, 3>& mean, const std::array<double, 3>& std,
                           std::int64_t pad) {
    if (images.size() != windows.size()) {
        throw nb::value_error("windows must be as many as images");
    }
    std::vector<tundish::ImageView> views;
    std::vector<tundish::Window> placements;
    for (std::size_t i = 0; i < images.size(); ++i) {
        views.push_back(view(images[i]));
        placements.push_back({windows[i][0], windows[i][1], windows[i][2], windows[i][3]});
    }
    const tundish::Destination target{destination.data(), static_cast<std::int64_t>(destination.shape(0)),
                                      static_cast<std::int64_t>(destination.shape(2)),
                                      static_cast<std::int64_t>(destination.shape(3))};
    const tundish::Normalization normalization{
        scale, {mean[0], mean[1], mean[2]}, {std[0], std[1], std[2]}, pad};

    // The arguments hold references to the arrays, so their memory stays while other Python threads run.
    const nb::gil_scoped_release release;
    tundish::resize_normalize_into(target, views.data(), placements.data(), views.size(),
                                   tundish::parse_filter(filter), normalization);
}

}  // namespace

void tundish::bind_resize_normalize(nb::module_& module) {
    module.attr("MAXIMUM_EXTENT") = tundish::kMaximumExtent;
    module.def("resize_normalize_into", &::resize_normalize_into, nb::arg("destination").noconvert(),
               nb::arg("images").noconvert(), nb::arg("windows"), nb::arg("filter"), nb::arg("scale"),
               nb::arg("mean"), nb::arg("std"), nb::arg("pad"));
}
