// The Python binding of the CUDA form of resize_normalize. Memory comes as addresses: what they mean was
// checked in Python.
#include "tundish/cuda/resize_normalize.h"

#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <string>
#include <tuple>
#include <vector>

#include "../bindings.h"
#include "../image_arguments.h"

namespace nb = nanobind;
namespace cuda = tundish::cuda;

namespace {

// Address, height, width and bytes from row to row.
using Image = std::tuple<std::uintptr_t, std::int64_t, std::int64_t, std::int64_t>;
// Address, batch, height and width.
using Output = std::tuple<std::uintptr_t, std::int64_t, std::int64_t, std::int64_t>;
using Window = std::array<std::int64_t, 4>;

std::vector<tundish::ImageView> image_views(const std::vector<Image>& images) {
    std::vector<tundish::ImageView> views;
    for (const auto& [address, height, width, row_stride] : images) {
        views.push_back(
            {height, width, {{reinterpret_cast<const std::uint8_t*>(address), row_stride}, {}, {}}});
    }
    return views;
}

std::size_t resize_normalize_workspace_bytes(const std::vector<Image>& images,
                                             const std::vector<Window>& windows, std::int64_t height,
                                             std::int64_t width, const std::string& filter, bool antialias) {
    const std::vector<tundish::Window> placements = tundish::read_windows(windows, images.size());
    return cuda::resize_normalize_workspace_bytes(image_views(images).data(), placements.data(),
                                                  images.size(), height, width,
                                                  tundish::parse_filter(filter, antialias));
}

void resize_normalize_into(const Output& destination, const std::vector<Image>& images,
                           const std::vector<Window>& windows, const std::string& format,
                           const std::string& filter, bool antialias,
                           const tundish::NormalizationTuple& normalization,
                           const tundish::OutputTuple& output, cuda::Workspace& workspace,
                           std::uintptr_t stream) {
    const std::vector<tundish::ImageView> views = image_views(images);
    const std::vector<tundish::Window> placements = tundish::read_windows(windows, images.size());
    const auto& [address, count, height, width] = destination;
    const auto& [dtype, layout, order, quantum, zero_point] = output;
    const tundish::OutputFormat elements{tundish::parse_element_type(dtype), tundish::parse_layout(layout),
                                         tundish::parse_channel_order(order), quantum, zero_point};
    const tundish::Destination target{reinterpret_cast<void*>(address), count, height, width, elements};

    const nb::gil_scoped_release release;
    cuda::resize_normalize_into(target, views.data(), placements.data(), views.size(),
                                tundish::parse_pixel_format(format), tundish::parse_filter(filter, antialias),
                                tundish::read_normalization(normalization), workspace,
                                reinterpret_cast<cuda::Stream>(stream));
}

}  // namespace

void tundish::bind_cuda_resize_normalize(nb::module_& module) {
    module.def("cuda_resize_normalize_workspace_bytes", &::resize_normalize_workspace_bytes,
               nb::arg("images"), nb::arg("windows"), nb::arg("height"), nb::arg("width"), nb::arg("filter"),
               nb::arg("antialias"));
    module.def("cuda_resize_normalize_into", &::resize_normalize_into, nb::arg("destination"),
               nb::arg("images"), nb::arg("windows"), nb::arg("format"), nb::arg("filter"),
               nb::arg("antialias"), nb::arg("normalization"), nb::arg("output"), nb::arg("workspace"),
               nb::arg("stream"));
}
