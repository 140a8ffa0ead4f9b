// The Python binding of the CUDA form of pack. Memory comes as addresses: what they mean was checked in
// Python.
#include "tundish/cuda/pack.h"

#include <nanobind/stl/tuple.h>

#include <tuple>

#include "../bindings.h"

namespace nb = nanobind;
namespace cuda = tundish::cuda;

namespace {

// Addresses of ids, mask or 0, and type ids or 0; batch and length.
using Destination = std::tuple<std::uintptr_t, std::uintptr_t, std::uintptr_t, std::size_t, std::size_t>;
// Addresses of ids, type ids or 0, and starts; number of tokens.
using Tokens = std::tuple<std::uintptr_t, std::uintptr_t, std::uintptr_t, std::size_t>;
// Id, type id, and whether it is at the left.
using Padding = std::tuple<std::int32_t, std::int32_t, bool>;

template <class Integer>
void pack_rows(const Destination& destination, const Tokens& tokens, const Padding& padding,
               const cuda::Device& device, std::uintptr_t stream) {
    const auto& [ids, mask, type_ids, batch, length] = destination;
    const auto& [token_ids, token_type_ids, starts, size] = tokens;
    const auto& [pad_id, pad_type_id, left] = padding;
    const nb::gil_scoped_release release;
    cuda::pack_into(
        tundish::PackDestination<Integer>{reinterpret_cast<Integer*>(ids), reinterpret_cast<Integer*>(mask),
                                          reinterpret_cast<Integer*>(type_ids), batch, length},
        {reinterpret_cast<const std::int32_t*>(token_ids),
         reinterpret_cast<const std::int32_t*>(token_type_ids), size,
         reinterpret_cast<const std::int64_t*>(starts)},
        {pad_id, pad_type_id, left}, device, reinterpret_cast<cuda::Stream>(stream));
}

void pack_into(const Destination& destination, std::int64_t element_bytes, const Tokens& tokens,
               const Padding& padding, const cuda::Device& device, std::uintptr_t stream) {
    const auto run = element_bytes == 8 ? pack_rows<std::int64_t> : pack_rows<std::int32_t>;
    run(destination, tokens, padding, device, stream);
}

}  // namespace

void tundish::bind_cuda_pack(nb::module_& module) {
    module.def("cuda_pack_into", &::pack_into, nb::arg("destination"), nb::arg("element_bytes"),
               nb::arg("tokens"), nb::arg("padding"), nb::arg("device"), nb::arg("stream"));
}
