// The Python binding of the CUDA form of crop_resize_normalize.
#include "tundish/cuda/crop_resize_normalize.h"

#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "../bindings.h"
#include "image_arguments.h"

namespace nb = nanobind;
namespace cuda = tundish::cuda;

namespace {

std::size_t crop_resize_normalize_workspace_bytes(const tundish::Quadruples& regions,
                                                  const tundish::Quadruples& windows,
                                                  const tundish::SizeTuple& size, const std::string& filter,
                                                  bool antialias) {
    const std::vector<tundish::Region> parts = tundish::read_regions(regions);
    const std::vector<tundish::Window> placements = tundish::read_windows(windows, parts.size());
    const auto& [height, width] = size;
    return cuda::crop_resize_normalize_workspace_bytes(parts.data(), placements.data(), parts.size(), height,
                                                       width, tundish::parse_filter(filter, antialias));
}

void crop_resize_normalize_into(const tundish::DestinationAddress& destination,
                                const tundish::PlaneAddresses& frame, const tundish::Quadruples& regions,
                                const tundish::Quadruples& windows, const std::string& format,
                                const std::string& filter, bool antialias,
                                const tundish::NormalizationTuple& normalization,
                                const tundish::OutputTuple& output, cuda::Workspace& workspace,
                                std::uintptr_t stream) {
    const nb::gil_scoped_release release;
    const tundish::PixelFormat pixels = tundish::parse_pixel_format(format);
    const std::vector<tundish::Region> parts = tundish::read_regions(regions);
    const std::vector<tundish::Window> placements = tundish::read_windows(windows, parts.size());
    cuda::crop_resize_normalize_into(
        tundish::read_destination(destination, output), tundish::read_image(frame, pixels), parts.data(),
        placements.data(), parts.size(), pixels, tundish::parse_filter(filter, antialias),
        tundish::read_normalization(normalization), workspace, reinterpret_cast<cuda::Stream>(stream));
}

}  // namespace

void tundish::bind_cuda_crop_resize_normalize(nb::module_& module) {
    module.def("cuda_crop_resize_normalize_workspace_bytes", &::crop_resize_normalize_workspace_bytes,
               nb::arg("regions"), nb::arg("windows"), nb::arg("size"), nb::arg("filter"),
               nb::arg("antialias"));
    module.def("cuda_crop_resize_normalize_into", &::crop_resize_normalize_into, nb::arg("destination"),
               nb::arg("frame"), nb::arg("regions"), nb::arg("windows"), nb::arg("format"), nb::arg("filter"),
               nb::arg("antialias"), nb::arg("normalization"), nb::arg("output"), nb::arg("workspace"),
               nb::arg("stream"));
}
