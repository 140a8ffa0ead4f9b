// The checks that the image operators share, on every device; each throws std::invalid_argument.
#pragma once

#include <cstddef>

#include "tundish/image.h"

namespace tundish {

// The arguments of resize_normalize_into.
void check_resize_normalize(const Destination& destination, const ImageView* images, const Window* windows,
                            std::size_t count, PixelFormat format, const Normalization& normalization);

// The arguments of crop_resize_normalize_into.
void check_crop_resize_normalize(const Destination& destination, const ImageView& frame,
                                 const Region* regions, const Window* windows, std::size_t count,
                                 PixelFormat format, const Normalization& normalization);

}  // namespace tundish
