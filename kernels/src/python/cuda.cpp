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
#include "image_arguments.h"

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
               nb::arg("images"), nb::arg("windows"), nb::arg("height"), nb::arg("width"), nb::arg("filter"),
               nb::arg("antialias"));
    module.def("cuda_resize_normalize_into", &::resize_normalize_into, nb::arg("destination"),
               nb::arg("images"), nb::arg("windows"), nb::arg("format"), nb::arg("filter"),
               nb::arg("antialias"), nb::arg("normalization"), nb::arg("output"), nb::arg("workspace"),
               nb::arg("stream"));
    module.def("cuda_softmax_top_k_into", &::softmax_top_k_into, nb::arg("indices"), nb::arg("index_bytes"),
               nb::arg("scores"), nb::arg("k"), nb::arg("logits"), nb::arg("function"), nb::arg("device"),
               nb::arg("stream"));
    module.def("cuda_pool_normalize_into", &::pool_normalize_into, nb::arg("destination"), nb::arg("tokens"),
               nb::arg("mask"), nb::arg("mask_bytes"), nb::arg("pooling"), nb::arg("normalize"),
               nb::arg("device"), nb::arg("stream"));
}
