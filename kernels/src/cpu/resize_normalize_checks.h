// The checks of resize_normalize that hold on every device; they look at addresses, never at memory.
#pragma once

#include <cstddef>

#include "tundish/resize_normalize.h"

namespace tundish {

// Throws std::invalid_argument as resize_normalize_into says.
void check_resize_normalize(const Destination& destination, const ImageView* images, const Window* windows,
                            std::size_t count, const Normalization& normalization);

}  // namespace tundish
