// The Python binding of the CUDA form of pool_normalize. Memory comes as addresses: what they mean was
// checked in Python.
#include "tundish/cuda/pool_normalize.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <string>
#include <tuple>

#include "../bindings.h"

namespace nb = nanobind;
namespace cuda = tundish::cuda;

namespace {

// Address, batch, tokens and width.
using Vectors = std::tuple<std::uintptr_t, std::int64_t, std::int64_t, std::int64_t>;

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

void tundish::bind_cuda_pool_normalize(nb::module_& module) {
    module.def("cuda_pool_normalize_into", &::pool_normalize_into, nb::arg("destination"), nb::arg("tokens"),
               nb::arg("mask"), nb::arg("mask_bytes"), nb::arg("pooling"), nb::arg("normalize"),
               nb::arg("device"), nb::arg("stream"));
}
