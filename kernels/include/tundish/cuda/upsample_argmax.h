// upsample_argmax on an NVIDIA GPU.
#pragma once

#include <cstdint>

#include "tundish/cuda/device.h"
#include "tundish/upsample_argmax.h"

namespace tundish::cuda {

// tundish::upsample_argmax_into with both arrays in the GPU's memory: one launch on `stream`, and no scratch
// memory. It waits for nothing. Throws std::invalid_argument also if an array is not in this GPU's memory or
// there are more than 65535 images, and std::runtime_error if the driver refuses.
template <typename Label>
void upsample_argmax_into(const LabelMaps<Label>& destination, const LogitMaps& logits, const Device& device,
                          Stream stream);

extern template void upsample_argmax_into(const LabelMaps<std::uint8_t>&, const LogitMaps&, const Device&,
                                          Stream);
extern template void upsample_argmax_into(const LabelMaps<std::int32_t>&, const LogitMaps&, const Device&,
                                          Stream);

}  // namespace tundish::cuda
