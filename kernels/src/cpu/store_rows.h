// The loops that turn rows of pixels into the elements of an output, one table per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/pixel.h"

namespace tundish {

// What becomes of the pixels of one channel: the functor, and all 256 values as each type of element. Only
// the values of the output's type are there.
struct Channel {
    NormalizePixel normalize;
    bool keeps_pixels;  // bytes[pixel] is pixel
    float floats[256];
    std::uint16_t halves[256];
    std::uint8_t bytes[256];
};

// `planar` writes `length` elements of one channel, `interleaved` 3 × length of the three channels.
template <typename Element>
struct StoreRow {
    void (*planar)(const std::uint8_t* pixels, std::size_t length, const Channel& channel, Element* output);
    void (*interleaved)(const std::uint8_t* const pixels[3], std::size_t length, const Channel channels[3],
                        Element* output);
};

struct StoreKernels {
    StoreRow<float> floats;
    StoreRow<std::uint16_t> halves;
    StoreRow<std::uint8_t> bytes;
};

}  // namespace tundish
