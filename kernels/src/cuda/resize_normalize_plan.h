// Lays out and fills in the tables that a launch of resize_normalize or crop_resize_normalize reads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "device.h"
#include "resize_normalize_task.h"
#include "tundish/resize_normalize.h"

namespace tundish::cuda {

// A call's images, or regions of one frame, with their windows and the output's size; borrows the arrays.
struct ResizeNormalizeBatch {
    const ImageView* images;  // `count` of them, or one if there are regions
    const Region* regions;    // null for images as a whole
    const Window* windows;
    std::size_t count;
    std::int64_t height, width;
    Filter filter;

    const ImageView& image(std::size_t index) const { return regions == nullptr ? images[index] : *images; }

    Region region(std::size_t index) const {
        return regions == nullptr ? Region{0, 0, images[index].width, images[index].height} : regions[index];
    }
};

// Bytes that the tables take at most: an ImageTask for each image, then weights. Looks at nothing of images
// but their sizes, and at no image if there are regions.
std::size_t plan_bytes(const ResizeNormalizeBatch& batch);

struct Plan {
    ResizeNormalizeArguments arguments;
    std::size_t bytes;  // that the tables take
};

// Writes the tables to `host`, plan_bytes long and aligned to 8; they will be read at `device`.
Plan write_plan(const ResizeNormalizeBatch& batch, PixelFormat format, const Destination& destination,
                const Normalization& normalization, void* host, const void* device);

// Whether the filter needs no sums, but one pixel or the nearest 2 × 2, for which there are other kernels.
bool is_point(Filter filter);

LaunchSize grid_of(const ResizeNormalizeBatch& batch);
constexpr LaunchSize kBlockSize = {kTileWidth, kThreadRows, 1};

}  // namespace tundish::cuda
