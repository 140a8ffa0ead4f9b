// The loops that turn rows of a camera's pixel format into interleaved RGB, one table per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/bayer.h"

namespace tundish {

// Each writes 3 × `length` bytes and reads no byte of other pixels. Of formats that share chroma between two
// pixels, `length` is even and the pointers are at the first of two; v is used by i420 alone.
using ConvertYuvRow = void (*)(const std::uint8_t* y, const std::uint8_t* u, const std::uint8_t* v,
                               std::size_t length, std::uint8_t* rgb);

struct ConvertKernels {
    void (*grey)(const std::uint8_t* pixels, std::size_t length, std::uint8_t* rgb);
    ConvertYuvRow nv12;  // u points to U and V by turns
    ConvertYuvRow i420;
    ConvertYuvRow yuyv;  // y points to everything
    ConvertYuvRow uyvy;  // y points to everything

    // `rows` are the one above, the one itself and the one below; pixel i is at index i + 1 of each, so that
    // length + 2 bytes are read.
    void (*bayer)(const std::uint8_t* const rows[3], BayerRow kind, std::size_t length, std::uint8_t* rgb);
};

}  // namespace tundish
