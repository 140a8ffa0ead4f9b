// The Python binding of crop_resize_normalize.
#include "tundish/crop_resize_normalize.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "image_arguments.h"

namespace nb = nanobind;

namespace {

void crop_resize_normalize_into(const tundish::DestinationArray& destination,
                                const tundish::PlaneArrays& frame, const tundish::Quadruples& regions,
                                const tundish::Quadruples& windows, const std::string& format,
                                const std::string& filter, bool antialias,
                                const tundish::NormalizationTuple& normalization,
                                const tundish::OutputTuple& output) {
    const tundish::PixelFormat pixels = tundish::parse_pixel_format(format);
    const tundish::ImageView view = tundish::read_image(frame, pixels);
    const std::vector<tundish::Region> parts = tundish::read_regions(regions);
    const std::vector<tundish::Window> placements = tundish::read_windows(windows, parts.size());
    const tundish::Destination target = tundish::read_destination(destination, output);

    // The arguments hold references to the arrays, so their memory stays while other Python threads run.
    const nb::gil_scoped_release release;
    tundish::crop_resize_normalize_into(target, view, parts.data(), placements.data(), parts.size(), pixels,
                                        tundish::parse_filter(filter, antialias),
                                        tundish::read_normalization(normalization));
}

}  // namespace

void tundish::bind_crop_resize_normalize(nb::module_& module) {
    module.def("crop_resize_normalize_into", &::crop_resize_normalize_into,
               nb::arg("destination").noconvert(), nb::arg("frame").noconvert(), nb::arg("regions"),
               nb::arg("windows"), nb::arg("format"), nb::arg("filter"), nb::arg("antialias"),
               nb::arg("normalization"), nb::arg("output"));
}
