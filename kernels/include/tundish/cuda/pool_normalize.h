// pool_normalize on an NVIDIA GPU.
#pragma once

#include <cstdint>

#include "tundish/cuda/device.h"
#include "tundish/pool_normalize.h"

namespace tundish::cuda {

// tundish::pool_normalize_into with all arrays in the GPU's memory: one launch on `stream`, a block for each
// row, and no scratch memory. It waits for nothing. Throws std::invalid_argument also if an array is not in
// this GPU's memory or there are more than 2^31 - 1 rows, and std::runtime_error if the driver refuses.
template <typename Mask>
void pool_normalize_into(float* destination, const TokenVectors<Mask>& tokens, Pooling pooling,
                         bool normalize, const Device& device, Stream stream);

extern template void pool_normalize_into(float*, const TokenVectors<std::uint8_t>&, Pooling, bool,
                                         const Device&, Stream);
extern template void pool_normalize_into(float*, const TokenVectors<std::int32_t>&, Pooling, bool,
                                         const Device&, Stream);
extern template void pool_normalize_into(float*, const TokenVectors<std::int64_t>&, Pooling, bool,
                                         const Device&, Stream);

}  // namespace tundish::cuda
