// One function for each operator, which adds it to the Python module.
//
// What an array must look like is checked in Python, where a message can show shape and dtype; the casts of
// the bindings only keep a direct caller safe. Each releases the GIL around work that takes long.
#pragma once

#include <nanobind/nanobind.h>

namespace tundish {

void bind_crop_resize_normalize(nanobind::module_& module);
void bind_cuda_crop_resize_normalize(nanobind::module_& module);
void bind_cuda_device(nanobind::module_& module);
void bind_cuda_non_max_suppression(nanobind::module_& module);
void bind_cuda_pack(nanobind::module_& module);
void bind_cuda_pool_normalize(nanobind::module_& module);
void bind_cuda_resize_normalize(nanobind::module_& module);
void bind_cuda_run_length_encode(nanobind::module_& module);
void bind_cuda_softmax_top_k(nanobind::module_& module);
void bind_cuda_upsample_argmax(nanobind::module_& module);
void bind_cuda_wordpiece(nanobind::module_& module);
void bind_non_max_suppression(nanobind::module_& module);
void bind_pack(nanobind::module_& module);
void bind_pool_normalize(nanobind::module_& module);
void bind_resize_normalize(nanobind::module_& module);
void bind_run_length_encode(nanobind::module_& module);
void bind_softmax_top_k(nanobind::module_& module);
void bind_upsample_argmax(nanobind::module_& module);
void bind_wordpiece(nanobind::module_& module);

}  // namespace tundish
