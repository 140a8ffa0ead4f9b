// The NaN that results hold.
#pragma once

#include <math.h>

#include "tundish/pixel.h"

namespace tundish {

// Which payload and sign arithmetic gives a NaN depends on the instruction set and on the compiler's choice
// of operands; results have this one, so that they are equal to the bit.
TUNDISH_HOST_DEVICE float canonical(float value) { return value != value ? NAN : value; }

}  // namespace tundish
