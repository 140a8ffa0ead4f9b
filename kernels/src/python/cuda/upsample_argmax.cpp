// The Python binding of the CUDA form of upsample_argmax. Memory comes as addresses: what they mean was
// checked in Python.
#include "tundish/cuda/upsample_argmax.h"

#include <nanobind/stl/tuple.h>

#include <tuple>

#include "../bindings.h"

namespace nb = nanobind;
namespace cuda = tundish::cuda;

namespace {

// Height and width.
using Size = std::tuple<std::int64_t, std::int64_t>;
// Address, batch, classes, height and width.
using Maps = std::tuple<std::uintptr_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;

template <typename Label>
void upsample_argmax_labels(std::uintptr_t destination, const Size& size, const Maps& logits,
                            const cuda::Device& device, std::uintptr_t stream) {
    const auto& [height, width] = size;
    const auto& [address, batch, classes, source_height, source_width] = logits;
    const nb::gil_scoped_release release;
    cuda::upsample_argmax_into(
        tundish::LabelMaps<Label>{reinterpret_cast<Label*>(destination), batch, height, width},
        {reinterpret_cast<const float*>(address), batch, classes, source_height, source_width}, device,
        reinterpret_cast<cuda::Stream>(stream));
}

void upsample_argmax_into(std::uintptr_t destination, std::int64_t label_bytes, const Size& size,
                          const Maps& logits, const cuda::Device& device, std::uintptr_t stream) {
    const auto run =
        label_bytes == 4 ? upsample_argmax_labels<std::int32_t> : upsample_argmax_labels<std::uint8_t>;
    run(destination, size, logits, device, stream);
}

}  // namespace

void tundish::bind_cuda_upsample_argmax(nb::module_& module) {
    module.def("cuda_upsample_argmax_into", &::upsample_argmax_into, nb::arg("destination"),
               nb::arg("label_bytes"), nb::arg("size"), nb::arg("logits"), nb::arg("device"),
               nb::arg("stream"));
}
