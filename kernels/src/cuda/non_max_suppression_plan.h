// Lays out the workspace of non_max_suppression and fills in what its kernels are told.
#pragma once

#include <cstddef>

#include "device.h"
#include "non_max_suppression_arguments.h"
#include "tundish/cuda/non_max_suppression.h"

namespace tundish::cuda {

struct SuppressionPlan {
    NonMaxSuppressionArguments arguments;
    std::size_t zeroed;     // bytes at the beginning of the workspace that must be 0
    LaunchSize collecting;  // blocks
    LaunchSize suppressing;
    LaunchSize suppressing_threads;
};

// `workspace` has as many bytes as non_max_suppression_workspace_bytes says, and is aligned to 8.
SuppressionPlan plan_suppression(const Detections& detections, const StridedView& boxes,
                                 const StridedView& scores, const SuppressionRule& rule, void* workspace);

}  // namespace tundish::cuda
