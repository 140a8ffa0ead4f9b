// The Python binding of the CUDA form of resize_normalize.
#include "tundish/cuda/resize_normalize.h"

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

std::size_t resize_normalize_workspace_bytes(const std::vector<tundish::SizeTuple>& image_sizes,
                                             const tundish::Quadruples& windows,
                                             const tundish::SizeTuple& size, const std::string& filter,
                                             bool antialias) {
    std::vector<tundish::ImageView> images;
    for (const auto& [image_height, image_width] : image_sizes) {
        images.push_back({image_height, image_width, {}});
    }
    const auto& [height, width] = size;
    const std::vector<tundish::Window> placements = tundish::read_windows(windows, images.size());
    return cuda::resize_normalize_workspace_bytes(images.data(), placements.data(), images.size(), height,
                                                  width, tundish::parse_filter(filter, antialias));
}

void resize_normalize_into(const tundish::DestinationAddress& destination,
                           const std::vector<tundish::PlaneAddresses>& images,
                           const tundish::Quadruples& windows, const std::string& format,
                           const std::string& filter, bool antialias,
                           const tundish::NormalizationTuple& normalization,
                           const tundish::OutputTuple& output, cuda::Workspace& workspace,
                           std::uintptr_t stream) {
    const nb::gil_scoped_release release;
    const tundish::PixelFormat pixels = tundish::parse_pixel_format(format);
    std::vector<tundish::ImageView> views;
    for (const tundish::PlaneAddresses& image : images) {
        views.push_back(tundish::read_image(image, pixels));
    }
    const std::vector<tundish::Window> placements = tundish::read_windows(windows, views.size());
    cuda::resize_normalize_into(
        tundish::read_destination(destination, output), views.data(), placements.data(), views.size(), pixels,
        tundish::parse_filter(filter, antialias), tundish::read_normalization(normalization), workspace,
        reinterpret_cast<cuda::Stream>(stream));
}

}  // namespace

void tundish::bind_cuda_resize_normalize(nb::module_& module) {
    module.def("cuda_resize_normalize_workspace_bytes", &::resize_normalize_workspace_bytes,
               nb::arg("image_sizes"), nb::arg("windows"), nb::arg("size"), nb::arg("filter"),
               nb::arg("antialias"));
    module.def("cuda_resize_normalize_into", &::resize_normalize_into, nb::arg("destination"),
               nb::arg("images"), nb::arg("windows"), nb::arg("format"), nb::arg("filter"),
               nb::arg("antialias"), nb::arg("normalization"), nb::arg("output"), nb::arg("workspace"),
               nb::arg("stream"));
}
