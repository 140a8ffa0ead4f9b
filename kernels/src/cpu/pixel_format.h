// The planes of each pixel format, and what its images must be like.
#pragma once

#include <cstdint>
#include <string>

#include "tundish/bayer.h"
#include "tundish/image.h"

namespace tundish {

struct PlaneSize {
    std::int64_t rows;
    std::int64_t bytes;  // of each row
};

int plane_count(PixelFormat format);

PlaneSize plane_size(PixelFormat format, int plane, std::int64_t height, std::int64_t width);

// The first row of a Bayer format.
BayerRow first_bayer_row(PixelFormat format);

// Throws std::invalid_argument, naming the image `name`, if the format has no images of this size.
void check_image_size(const std::string& name, PixelFormat format, std::int64_t height, std::int64_t width);

}  // namespace tundish
