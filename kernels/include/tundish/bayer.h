// Linear interpolation of Bayer patterns, pixel by pixel; for the CPU loops and for CUDA kernels.
#pragma once

#include <cstdint>

#include "tundish/pixel.h"

namespace tundish {

// Where the colours of a Bayer row are: whether its first pixel is green, and whether its others are red.
struct BayerRow {
    bool green_first;
    bool red;
};

// The same of another row and seen from another column, of an image whose first row is `first`: the pattern
// repeats after two of each.
TUNDISH_HOST_DEVICE BayerRow bayer_row(BayerRow first, bool odd_row, bool odd_column) {
    return {(first.green_first != odd_row) != odd_column, first.red != odd_row};
}

// The colours of a pixel: green, the one that its row has beside green, and the other. They are interpolated
// from the sums of its two neighbours in the row, of those above and below, and of the four at its corners.
struct BayerPixel {
    std::uint8_t green;
    std::uint8_t own;
    std::uint8_t other;

    TUNDISH_HOST_DEVICE BayerPixel(bool is_green, unsigned here, unsigned horizontal, unsigned vertical,
                                   unsigned corners)
        : green(static_cast<std::uint8_t>(is_green ? here : (vertical + horizontal + 2) >> 2)),
          own(static_cast<std::uint8_t>(is_green ? (horizontal + 1) >> 1 : here)),
          other(static_cast<std::uint8_t>(is_green ? (vertical + 1) >> 1 : (corners + 2) >> 2)) {}
};

}  // namespace tundish
