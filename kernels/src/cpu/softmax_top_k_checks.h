// The checks of softmax_top_k that hold on every device; they look at addresses, never at memory.
#pragma once

#include "tundish/softmax_top_k.h"

namespace tundish {

// Throws std::invalid_argument as softmax_top_k_into says.
template <typename Index>
void check_softmax_top_k(const TopK<Index>& destination, const LogitsView& logits);

}  // namespace tundish
