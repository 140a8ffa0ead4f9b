// Lays out and fills in the tables that a launch of resize_normalize reads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "device.h"
#include "resize_normalize_task.h"
#include "tundish/resize_normalize.h"

namespace tundish::cuda {

// A call's images, of one plane each, windows and output size; borrows the arrays.
struct ResizeNormalizeBatch {
    const ImageView* images;
    const Window* windows;
    std::size_t count;
    std::int64_t height, width;
    Filter filter;
};

// Bytes that the tables take at most: an ImageTask for each image, then weights.
std::size_t plan_bytes(const ResizeNormalizeBatch& batch);

struct Plan {
    ResizeNormalizeArguments arguments;
    std::size_t bytes;  // that the tables take
};

// Writes the tables to `host`, plan_bytes long and aligned to 8; they will be read at `device`.
Plan write_plan(const ResizeNormalizeBatch& batch, PixelFormat format, const Destination& destination,
                const Normalization& normalization, void* host, const void* device);

LaunchSize grid_of(const ResizeNormalizeBatch& batch);
constexpr LaunchSize kBlockSize = {kTileWidth, kThreadRows, 1};

}  // namespace tundish::cuda
