// The Python binding of the CUDA forms. Memory comes as addresses: what they mean was checked in Python.
#include "tundish/cuda.h"

#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <string>
#include <tuple>
#include <vector>

#include "bindings.h"

namespace nb = nanobind;
namespace cuda = tundish::cuda;

namespace {

// Address, height, width and bytes from row to row.
using Image = std::tuple<std::uintptr_t, std::int64_t, std::int64_t, std::int64_t>;
// Address, batch, height and width.
using Output = std::tuple<std::uintptr_t, std::int64_t, std::int64_t, std::int64_t>;
using Window = std::array<std::int64_t, 4>;

struct Batch {
    std::vector<tundish::ImageView> images;
    std::vector<tundish::Window> windows;

    Batch(const std::vector<Image>& views, const std::vector<Window>& placements) {
        if (views.size() != placements.size()) {
            throw nb::value_error("windows must be as many as images");
        }
        for (std::size_t i = 0; i < views.size(); ++i) {
            const auto& [address, height, width, row_stride] = views[i];
            images.push_back({reinterpret_cast<const std::uint8_t*>(address), height, width, row_stride});
            const auto& [resized_height, resized_width, top, left] = placements[i];
            windows.push_back({resized_height, resized_width, top, left});
        }
    }
};

std::size_t resize_normalize_workspace_bytes(const std::vector<Image>& images,
                                             const std::vector<Window>& windows, std::int64_t height,
                                             std::int64_t width, const std::string& filter) {
    const Batch batch(images, windows);
    return cuda::resize_normalize_workspace_bytes(batch.images.data(), batch.windows.data(),
                                                  batch.images.size(), height, width,
                                                  tundish::parse_filter(filter));
}

void resize_normalize_into(const Output& destination, const std::vector<Image>& images,
                           const std::vector<Window>& windows, const std::string& filter, double scale,
                           const std::array<double, 3>& mean, const std::array<double, 3>& std,
                           std::int64_t pad, cuda::Workspace& workspace, std::uintptr_t stream) {
    const Batch batch(images, windows);
    const auto& [address, count, height, width] = destination;
    const tundish::Normalization normalization{
        scale, {mean[0], mean[1], mean[2]}, {std[0], std[1], std[2]}, pad};

    const nb::gil_scoped_release release;
    cuda::resize_normalize_into({reinterpret_cast<float*>(address), count, height, width},
                                batch.images.data(), batch.windows.data(), batch.images.size(),
                                tundish::parse_filter(filter), normalization, workspace,
                                reinterpret_cast<cuda::Stream>(stream));
}

}  // namespace

void tundish::bind_cuda(nb::module_& module) {
    module.def("cuda_unavailable_reason", &cuda::unavailable_reason,
               nb::call_guard<nb::gil_scoped_release>());
    nb::class_<cuda::Device>(module, "CudaDevice")
        .def(
            "__init__",
            [](cuda::Device* self, const nb::bytes& fatbin, int ordinal) {
                const void* const data = fatbin.data();
                const nb::gil_scoped_release release;
                new (self) cuda::Device(data, ordinal);
            },
            nb::arg("fatbin"), nb::arg("ordinal"))
        .def_prop_ro("ordinal", &cuda::Device::ordinal);
    nb::class_<cuda::Workspace>(module, "CudaWorkspace")
        .def(nb::init<const cuda::Device&, std::size_t>(), nb::arg("device"), nb::arg("bytes"),
             nb::keep_alive<1, 2>(), nb::call_guard<nb::gil_scoped_release>())
        .def_prop_ro("bytes", &cuda::Workspace::bytes);
    module.def("cuda_resize_normalize_workspace_bytes", &::resize_normalize_workspace_bytes,
               nb::arg("images"), nb::arg("windows"), nb::arg("height"), nb::arg("width"), nb::arg("filter"));
    module.def("cuda_resize_normalize_into", &::resize_normalize_into, nb::arg("destination"),
               nb::arg("images"), nb::arg("windows"), nb::arg("filter"), nb::arg("scale"), nb::arg("mean"),
               nb::arg("std"), nb::arg("pad"), nb::arg("workspace"), nb::arg("stream"));
}
