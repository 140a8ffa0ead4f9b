// The checks of pool_normalize that hold on every device; they look at addresses, never at memory.
#pragma once

#include "tundish/pool_normalize.h"

namespace tundish {

// Throws std::invalid_argument as pool_normalize_into says.
template <typename Mask>
void check_pool_normalize(const float* destination, const TokenVectors<Mask>& tokens);

}  // namespace tundish
