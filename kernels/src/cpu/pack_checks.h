// The checks of pack that hold on every device; they look at addresses, never at memory.
#pragma once

#include "tundish/pack.h"

namespace tundish {

// Throws std::invalid_argument for a null pointer, type ids in one of source and destination only, and
// overlapping memory.
template <class Integer>
void check_pack(const PackDestination<Integer>& destination, const RaggedTokens& tokens);

}  // namespace tundish
