// The Python binding of the CUDA form of softmax_top_k. Memory comes as addresses: what they mean was checked
// in Python.
#include "tundish/cuda/softmax_top_k.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <string>
#include <tuple>

#include "../bindings.h"

namespace nb = nanobind;
namespace cuda = tundish::cuda;

namespace {

// Address, batch and classes.
using Matrix = std::tuple<std::uintptr_t, std::int64_t, std::int64_t>;

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

}  // namespace

void tundish::bind_cuda_softmax_top_k(nb::module_& module) {
    module.def("cuda_softmax_top_k_into", &::softmax_top_k_into, nb::arg("indices"), nb::arg("index_bytes"),
               nb::arg("scores"), nb::arg("k"), nb::arg("logits"), nb::arg("function"), nb::arg("device"),
               nb::arg("stream"));
}
