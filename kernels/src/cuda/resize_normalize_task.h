// What the host tells the GPU of a call of resize_normalize; read by both compilers.
#pragma once

#include <cstdint>

#include "tundish/pixel.h"

namespace tundish::cuda {

// A ResampleAxis in a table of integers, from `offset` on: `length` times first, `length` times count, and
// then for each tap `length` coefficients, so that neighbouring threads read neighbouring integers.
// Or a LinearAxis: `length` times first, `length` weights.
struct AxisTable {
    std::int64_t offset;
    std::int32_t length;
};

// One image of the batch. The output pixels of rows top to bottom and columns left to right show it
// (half-open, perhaps empty); pixel (top + i, left + j) is entry i of the vertical axis and entry j of the
// horizontal one.
struct ImageTask {
    const std::uint8_t* data;  // on the device
    std::int64_t row_stride;   // in bytes
    std::int32_t top, bottom, left, right;
    AxisTable vertical, horizontal;
};

// The kernel's argument; there are as many images as blocks along z. `element_type` is an ElementType.
// Strides are in elements. Output channel c is made of source channel 2 - c if `reversed`, and of c if not.
struct ResizeNormalizeArguments {
    void* output;
    std::int32_t element_type;
    std::int32_t height, width;
    std::int64_t pixel_stride, channel_stride;
    bool reversed;
    const ImageTask* images;
    const std::int32_t* table;
    NormalizePixel normalize[3];
    Quantize quantize;
    std::uint8_t pad[3];
};

// A block makes a tile of the output, and has kTileWidth × kThreadRows threads. For bilinear_point a tile has
// as many rows as the block, for the other filters kTileHeight.
constexpr int kTileWidth = 32;
constexpr int kTileHeight = 16;
constexpr int kThreadRows = 8;

}  // namespace tundish::cuda
