// The Python binding of what the CUDA forms run on.
#include "tundish/cuda/device.h"

#include <nanobind/stl/string.h>

#include "../bindings.h"

namespace nb = nanobind;
namespace cuda = tundish::cuda;

void tundish::bind_cuda_device(nb::module_& module) {
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
}
