// The checks of upsample_argmax that hold on every device; they look at addresses, never at memory.
#pragma once

#include "tundish/upsample_argmax.h"

namespace tundish {

// Throws std::invalid_argument as upsample_argmax_into says.
template <typename Label>
void check_upsample_argmax(const LabelMaps<Label>& destination, const LogitMaps& logits);

}  // namespace tundish
