// pack on an NVIDIA GPU.
#pragma once

#include <cstdint>

#include "tundish/cuda/device.h"
#include "tundish/pack.h"

namespace tundish::cuda {

// tundish::pack_into with all arrays in the GPU's memory: one launch on `stream`, a warp for each row, and no
// scratch memory. It waits for nothing, and so cannot look at `starts`: of a row with more tokens than
// `length` the first ones are taken, and starts that do not ascend from 0 to `size` give rows of any tokens,
// but nothing beside the arrays is read or written.
//
// Throws std::invalid_argument also if there are no rows, columns or tokens, more than 2^31 - 1 rows or
// columns, or an array is not in this GPU's memory, and std::runtime_error if the driver refuses.
template <class Integer>
void pack_into(const PackDestination<Integer>& destination, const RaggedTokens& tokens,
               const Padding& padding, const Device& device, Stream stream);

extern template void pack_into(const PackDestination<std::int32_t>&, const RaggedTokens&, const Padding&,
                               const Device&, Stream);
extern template void pack_into(const PackDestination<std::int64_t>&, const RaggedTokens&, const Padding&,
                               const Device&, Stream);

}  // namespace tundish::cuda
