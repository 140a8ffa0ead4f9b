// crop_resize_normalize on an NVIDIA GPU.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/crop_resize_normalize.h"
#include "tundish/cuda/device.h"

namespace tundish::cuda {

// Bytes of the workspace that crop_resize_normalize_into needs for regions and windows of these sizes. It
// never falls as a region grows, so that the most and largest that can come are enough. Where a region begins
// is not looked at. Sizes must be valid as crop_resize_normalize_into says.
std::size_t crop_resize_normalize_workspace_bytes(const Region* regions, const Window* windows,
                                                  std::size_t count, std::int64_t height, std::int64_t width,
                                                  Filter filter);

// tundish::crop_resize_normalize_into with frame and destination in the GPU's memory: one copy of tables to
// the GPU and one launch on `stream`, whatever the number and sizes of the regions (65535 at most). Waits,
// allocates and throws as resize_normalize_into does. The memory of frame and destination must stay until the
// work is done.
void crop_resize_normalize_into(const Destination& destination, const ImageView& frame, const Region* regions,
                                const Window* windows, std::size_t count, PixelFormat format, Filter filter,
                                const Normalization& normalization, Workspace& workspace, Stream stream);

}  // namespace tundish::cuda
