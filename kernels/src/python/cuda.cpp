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
// Address, batch and classes.
using Matrix = std::tuple<std::uintptr_t, std::int64_t, std::int64_t>;
// Address, batch, tokens and width.
using Vectors = std::tuple<std::uintptr_t, std::int64_t, std::int64_t, std::int64_t>;
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

template <typename Index>
void softmax_top_k_rows(std::uintptr_t indices, std::uintptr_t scores, std::int64_t k, const Matrix& logits,
                        const std::string& function, const cuda::Device& device, std::uintptr_t stream) {
    const auto& [address, batch, classes] = logits;
    const nb::gil_scoped_release release;
    cuda::softmax_top_k_into(
        tundish::TopK<Index>{reinterpret_cast<Index*>(indices), reinterpret_cast<float*>(scores), k},
        {reinterpret_cast<const float*>(address), batch, classes}, tundish::parse_score_function(function),
        device, reinterpret_cast<cuda::Stream>(stream));
}

void softmax_top_k_into(std::uintptr_t indices, std::int64_t index_bytes, std::uintptr_t scores,
                        std::int64_t k, const Matrix& logits, const std::string& function,
                        const cuda::Device& device, std::uintptr_t stream) {
    const auto run = index_bytes == 8 ? softmax_top_k_rows<std::int64_t> : softmax_top_k_rows<std::int32_t>;
    run(indices, scores, k, logits, function, device, stream);
}

template <typename Mask>
void pool_normalize_rows(std::uintptr_t destination, const Vectors& tokens, std::uintptr_t mask,
                         const std::string& pooling, bool normalize, const cuda::Device& device,
                         std::uintptr_t stream) {
    const auto& [address, batch, length, width] = tokens;
    const nb::gil_scoped_release release;
    cuda::pool_normalize_into(
        reinterpret_cast<float*>(destination),
        tundish::TokenVectors<Mask>{reinterpret_cast<const float*>(address),
                                    reinterpret_cast<const Mask*>(mask), batch, length, width},
        tundish::parse_pooling(pooling), normalize, device, reinterpret_cast<cuda::Stream>(stream));
}

void pool_normalize_into(std::uintptr_t destination, const Vectors& tokens, std::uintptr_t mask,
                         std::int64_t mask_bytes, const std::string& pooling, bool normalize,
                         const cuda::Device& device, std::uintptr_t stream) {
    const auto run = mask_bytes == 8   ? pool_normalize_rows<std::int64_t>
                     : mask_bytes == 4 ? pool_normalize_rows<std::int32_t>
                                       : pool_normalize_rows<std::uint8_t>;
    run(destination, tokens, mask, pooling, normalize, device, stream);
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
    module.def("cuda_softmax_top_k_into", &::softmax_top_k_into, nb::arg("indices"), nb::arg("index_bytes"),
               nb::arg("scores"), nb::arg("k"), nb::arg("logits"), nb::arg("function"), nb::arg("device"),
               nb::arg("stream"));
    module.def("cuda_pool_normalize_into", &::pool_normalize_into, nb::arg("destination"), nb::arg("tokens"),
               nb::arg("mask"), nb::arg("mask_bytes"), nb::arg("pooling"), nb::arg("normalize"),
               nb::arg("device"), nb::arg("stream"));
}
