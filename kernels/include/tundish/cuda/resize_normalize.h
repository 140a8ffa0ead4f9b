// resize_normalize on an NVIDIA GPU.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/cuda/device.h"
#include "tundish/resize_normalize.h"

namespace tundish::cuda {

// Bytes of the workspace that resize_normalize_into needs for images and windows of these sizes. It never
// falls as an image grows, so that the largest that can come are enough. Planes are not looked at. Sizes must
// be valid as resize_normalize_into says.
std::size_t resize_normalize_workspace_bytes(const ImageView* images, const Window* windows,
                                             std::size_t count, std::int64_t height, std::int64_t width,
                                             Filter filter);

// tundish::resize_normalize_into with images and destination in the GPU's memory: one copy of tables to the
// GPU and one launch on `stream`, whatever the number and sizes of the images (65535 at most). It waits for
// the copy of the workspace's previous call, and for nothing else; allocates nothing on the GPU, and on the
// host what the weights of one axis take, freed before the return.
//
// Pixels are converted as they are read, in the same launch: nearest and bilinear_point convert those that
// they take, the other filters each of the part that the window shows about once.
//
// The memory of images and destination must stay until the work is done. Throws std::invalid_argument also if
// the memory is not this GPU's or the workspace is too small, and std::runtime_error if the driver refuses;
// then nothing was launched.
void resize_normalize_into(const Destination& destination, const ImageView* images, const Window* windows,
                           std::size_t count, PixelFormat format, Filter filter,
                           const Normalization& normalization, Workspace& workspace, Stream stream);

}  // namespace tundish::cuda
