// The checks of run_length_encode that hold on every device; they look at addresses, never at memory.
#pragma once

#include "tundish/run_length_encode.h"

namespace tundish {

// Throws std::invalid_argument as run_length_encode_into says.
void check_run_length_encode(const RunLengths& destination, const Masks& masks);

}  // namespace tundish
