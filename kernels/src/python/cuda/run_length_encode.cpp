// The Python binding of the CUDA form of run_length_encode. Memory comes as addresses: what they mean was
// checked in Python.
#include "tundish/cuda/run_length_encode.h"

#include <nanobind/stl/tuple.h>

#include <tuple>

#include "../bindings.h"

namespace nb = nanobind;
namespace cuda = tundish::cuda;

namespace {

// Address, batch, height and width.
using Masks = std::tuple<std::uintptr_t, std::int64_t, std::int64_t, std::int64_t>;

void run_length_encode_into(std::uintptr_t text, std::uintptr_t lengths, std::int64_t capacity,
                            const Masks& masks, cuda::Workspace& workspace, std::uintptr_t stream) {
    const auto& [address, batch, height, width] = masks;
    const nb::gil_scoped_release release;
    cuda::run_length_encode_into(
        {reinterpret_cast<std::uint8_t*>(text), reinterpret_cast<std::int64_t*>(lengths), capacity},
        {reinterpret_cast<const std::uint8_t*>(address), batch, height, width}, workspace,
        reinterpret_cast<cuda::Stream>(stream));
}

}  // namespace

void tundish::bind_cuda_run_length_encode(nb::module_& module) {
    module.def("cuda_run_length_encode_workspace_bytes", &cuda::run_length_encode_workspace_bytes,
               nb::arg("batch"), nb::arg("height"), nb::arg("width"));
    module.def("cuda_run_length_encode_into", &::run_length_encode_into, nb::arg("text"), nb::arg("lengths"),
               nb::arg("capacity"), nb::arg("masks"), nb::arg("workspace"), nb::arg("stream"));
}
