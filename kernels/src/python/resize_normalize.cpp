// The Python binding of resize_normalize.
#include "tundish/resize_normalize.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "image_arguments.h"

namespace nb = nanobind;

namespace {

void resize_normalize_into(const tundish::DestinationArray& destination,
                           const std::vector<tundish::PlaneArrays>& images,
                           const tundish::Quadruples& windows, const std::string& format,
                           const std::string& filter, bool antialias,
                           const tundish::NormalizationTuple& normalization,
                           const tundish::OutputTuple& output) {
    const tundish::PixelFormat pixels = tundish::parse_pixel_format(format);
    std::vector<tundish::ImageView> views;
    for (const tundish::PlaneArrays& image : images) {
        views.push_back(tundish::read_image(image, pixels));
    }
    const std::vector<tundish::Window> placements = tundish::read_windows(windows, images.size());
    const tundish::Destination target = tundish::read_destination(destination, output);

    // The arguments hold references to the arrays, so their memory stays while other Python threads run.
    const nb::gil_scoped_release release;
    tundish::resize_normalize_into(target, views.data(), placements.data(), views.size(), pixels,
                                   tundish::parse_filter(filter, antialias),
                                   tundish::read_normalization(normalization));
}

}  // namespace

void tundish::bind_resize_normalize(nb::module_& module) {
    module.attr("MAXIMUM_EXTENT") = tundish::kMaximumExtent;
    module.def("resize_normalize_into", &::resize_normalize_into, nb::arg("destination").noconvert(),
               nb::arg("images").noconvert(), nb::arg("windows"), nb::arg("format"), nb::arg("filter"),
               nb::arg("antialias"), nb::arg("normalization"), nb::arg("output"));
}
