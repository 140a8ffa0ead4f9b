// The checks that the image operators share; each throws std::invalid_argument.
#pragma once

#include <cstddef>
#include <string>

#include "tundish/image.h"

namespace tundish {

// `count` is the number of images that the call makes of things named `what`.
void check_destination(const Destination& destination, const char* what, std::size_t count);

// Also that `destination`, which must have been checked, shares no memory with the image.
void check_image(const ImageView& image, const std::string& name, PixelFormat format,
                 const Destination& destination);

void check_window(const Window& window, std::size_t index);

void check_normalization(const Normalization& normalization, ElementType type);

}  // namespace tundish
