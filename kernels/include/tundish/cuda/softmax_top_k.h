// softmax_top_k on an NVIDIA GPU.
#pragma once

#include <cstdint>

#include "tundish/cuda/device.h"
#include "tundish/softmax_top_k.h"

namespace tundish::cuda {

// tundish::softmax_top_k_into with all arrays in the GPU's memory: one launch on `stream`, a block for each
// row, and no scratch memory. It waits for nothing. Throws std::invalid_argument also if an array is not in
// this GPU's memory or there are more than 2^31 - 1 rows, and std::runtime_error if the driver refuses.
//
// A row is looked through k times: where k is large, sorting is faster.
template <typename Index>
void softmax_top_k_into(const TopK<Index>& destination, const LogitsView& logits, ScoreFunction function,
                        const Device& device, Stream stream);

extern template void softmax_top_k_into(const TopK<std::int32_t>&, const LogitsView&, ScoreFunction,
                                        const Device&, Stream);
extern template void softmax_top_k_into(const TopK<std::int64_t>&, const LogitsView&, ScoreFunction,
                                        const Device&, Stream);

}  // namespace tundish::cuda
