// non_max_suppression on an NVIDIA GPU.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/cuda/device.h"
#include "tundish/non_max_suppression.h"

namespace tundish::cuda {

// What the size of a call's workspace depends on. Numbers must be valid as non_max_suppression_into says.
struct SuppressionSize {
    std::int64_t batch;
    std::int64_t boxes;
    std::int64_t classes;
    std::int64_t maximum;  // detections of an image
};

// Bytes of the workspace that non_max_suppression_into needs: for each image 8 for each box, or for each pair
// of a box and a class if a box may be found for each of its classes; and 24 for each detection, or 104 of
// rotated boxes. It never falls as a number grows.
std::size_t non_max_suppression_workspace_bytes(const SuppressionSize& size, BoxFormat format,
                                                bool multi_label);

// tundish::non_max_suppression_into with all arrays in the GPU's memory: zeroes and two launches on `stream`,
// the second with one block for each image. It waits for nothing. The time after the scores are read is
// bounded by candidates × maximum, as on the CPU, and ends with the last detection.
//
// Throws std::invalid_argument also for more than 65535 images, if an array is not in this GPU's memory or
// the workspace is too small, and std::runtime_error if the driver refuses.
void non_max_suppression_into(const Detections& detections, const StridedView& boxes,
                              const StridedView& scores, const SuppressionRule& rule, Workspace& workspace,
                              Stream stream);

}  // namespace tundish::cuda
