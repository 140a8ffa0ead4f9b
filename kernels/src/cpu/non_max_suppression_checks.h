// The checks of non_max_suppression that hold on every device; they look at addresses, never at memory.
#pragma once

#include "tundish/non_max_suppression.h"

namespace tundish {

// Throws std::invalid_argument as non_max_suppression_into says.
void check_non_max_suppression(const Detections& detections, const StridedView& boxes,
                               const StridedView& scores, const SuppressionRule& rule);

}  // namespace tundish
