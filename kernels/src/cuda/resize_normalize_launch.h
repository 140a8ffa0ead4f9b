// What resize_normalize and crop_resize_normalize do once their arguments are checked.
#pragma once

#include <cstddef>

#include "resize_normalize_plan.h"
#include "tundish/cuda/device.h"

namespace tundish::cuda {

// Throws std::invalid_argument if there are more images than a launch takes; `what` is what they are made of.
void check_batch(const char* what, std::size_t count);

// Sends the tables and launches the kernel. Throws std::invalid_argument if the workspace is too small, or
// the destination or an image is not in the memory of its GPU, and std::runtime_error if the driver refuses.
void launch_resize_normalize(const ResizeNormalizeBatch& batch, PixelFormat format,
                             const Destination& destination, const Normalization& normalization,
                             Workspace& workspace, Stream stream);

}  // namespace tundish::cuda
