// run_length_encode on an NVIDIA GPU.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/cuda/device.h"
#include "tundish/run_length_encode.h"

namespace tundish::cuda {

// Bytes of the workspace that run_length_encode_into needs: a bit for each pixel, columns filled up to 32
// rows. It never falls as a number grows. Numbers must be valid as run_length_encode_into says.
std::size_t run_length_encode_workspace_bytes(std::int64_t batch, std::int64_t height, std::int64_t width);

// tundish::run_length_encode_into with all arrays in the GPU's memory: two launches on `stream`, the second
// with one block for each mask. It waits for nothing, so whoever reads a text must look at its length first.
//
// Throws std::invalid_argument also for more than 65535 masks, if an array is not in this GPU's memory or the
// workspace is too small, and std::runtime_error if the driver refuses.
void run_length_encode_into(const RunLengths& destination, const Masks& masks, Workspace& workspace,
                            Stream stream);

}  // namespace tundish::cuda
