// The Python binding of the CUDA form of wordpiece. The GPU's memory comes as addresses: what they mean was
// checked in Python.
#include "tundish/cuda/wordpiece.h"

#include <nanobind/stl/tuple.h>

#include <tuple>

#include "../bindings.h"
#include "../texts.h"

namespace nb = nanobind;
namespace cuda = tundish::cuda;

namespace {

// Addresses of ids, mask or 0, type ids or 0, lengths and truncated; batch and length.
using Destination = std::tuple<std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t, std::uintptr_t,
                               std::size_t, std::size_t>;
// Id, type id, and whether it is at the left.
using Padding = std::tuple<std::int32_t, std::int32_t, bool>;

template <class Integer>
std::size_t wordpiece_rows(const Destination& destination, const cuda::WordPiece& tokenizer,
                           const tundish::Texts& texts, const tundish::Texts* pairs,
                           const tundish::TextOptions& options, const Padding& padding,
                           cuda::Workspace& workspace, std::uintptr_t stream) {
    const auto& [ids, mask, type_ids, lengths, truncated, batch, length] = destination;
    const auto& [pad_id, pad_type_id, left] = padding;
    if (texts.size() != batch) {
        throw nb::value_error("the destination must have a row for each text");
    }
    const tundish::TextView* const second = tundish::optional_data(texts, pairs);
    const nb::gil_scoped_release release;
    return cuda::wordpiece_into(
        cuda::TokenBatch<Integer>{{reinterpret_cast<Integer*>(ids), reinterpret_cast<Integer*>(mask),
                                   reinterpret_cast<Integer*>(type_ids), batch, length},
                                  reinterpret_cast<std::int32_t*>(lengths),
                                  reinterpret_cast<std::uint8_t*>(truncated)},
        tokenizer, texts.data(), second, options.value, {pad_id, pad_type_id, left}, workspace,
        reinterpret_cast<cuda::Stream>(stream));
}

std::size_t wordpiece_into(const Destination& destination, std::int64_t element_bytes,
                           const cuda::WordPiece& tokenizer, const tundish::Texts& texts,
                           const tundish::Texts* pairs, const tundish::TextOptions& options,
                           const Padding& padding, cuda::Workspace& workspace, std::uintptr_t stream) {
    const auto run = element_bytes == 8 ? wordpiece_rows<std::int64_t> : wordpiece_rows<std::int32_t>;
    return run(destination, tokenizer, texts, pairs, options, padding, workspace, stream);
}

}  // namespace

void tundish::bind_cuda_wordpiece(nb::module_& module) {
    nb::class_<cuda::WordPiece>(module, "CudaWordPiece")
        .def(nb::init<const cuda::Device&, const WordPiece&>(), nb::arg("device"), nb::arg("tokenizer"),
             nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>(), nb::call_guard<nb::gil_scoped_release>());
    module.def("cuda_wordpiece_workspace_bytes", &cuda::wordpiece_workspace_bytes, nb::arg("texts"),
               nb::arg("text_bytes"), nb::arg("length"));
    module.def("cuda_wordpiece_into", &::wordpiece_into, nb::arg("destination"), nb::arg("element_bytes"),
               nb::arg("tokenizer"), nb::arg("texts"), nb::arg("pairs").none(), nb::arg("options"),
               nb::arg("padding"), nb::arg("workspace"), nb::arg("stream"));
}
