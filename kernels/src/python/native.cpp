// The Python module tundish_kernels._native.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "bindings.h"
#include "tundish/isa.h"

NB_MODULE(_native, module) {
    // A process that ends with a tokenizer in use has not leaked it, and its user can do nothing about it;
    // what leaks is found under AddressSanitizer.
    nanobind::set_leak_warnings(false);
    module.def("isa", [] { return std::string(tundish::isa_name(tundish::selected_isa())); });
    module.def("available_isas", [] {
        std::vector<std::string> names;
        for (const tundish::Isa isa : tundish::available_isas()) {
            names.emplace_back(tundish::isa_name(isa));
        }
        return names;
    });
    tundish::bind_crop_resize_normalize(module);
    tundish::bind_cuda_crop_resize_normalize(module);
    tundish::bind_cuda_device(module);
    tundish::bind_cuda_non_max_suppression(module);
    tundish::bind_cuda_pack(module);
    tundish::bind_cuda_pool_normalize(module);
    tundish::bind_cuda_resize_normalize(module);
    tundish::bind_cuda_run_length_encode(module);
    tundish::bind_cuda_softmax_top_k(module);
    tundish::bind_cuda_upsample_argmax(module);
    tundish::bind_cuda_wordpiece(module);
    tundish::bind_non_max_suppression(module);
    tundish::bind_pack(module);
    tundish::bind_pool_normalize(module);
    tundish::bind_resize_normalize(module);
    tundish::bind_run_length_encode(module);
    tundish::bind_softmax_top_k(module);
    tundish::bind_upsample_argmax(module);
    tundish::bind_wordpiece(module);
}
