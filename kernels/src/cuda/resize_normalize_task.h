// What the host tells the GPU of a call of resize_normalize or crop_resize_normalize; read by both compilers.
#pragma once

#include <cstdint>

#include "tundish/bayer.h"
#include "tundish/pixel.h"

namespace tundish::cuda {

// A ResampleAxis in a table of integers, from `offset` on: `length` times first, `length` times count, and
// then for each tap `length` coefficients, so that neighbouring threads read neighbouring integers.
// Or a LinearAxis: `length` times first, `length` weights.
struct AxisTable {
    std::int64_t offset;
    std::int32_t length;
};

// Samples of one kind; strides are in bytes.
struct SampledPlane {
    const std::uint8_t* data;  // on the device
    std::int64_t row_stride;
};

// One image of the batch, or one region of a frame, which then begins at pixel (y, x) of its
// frame_height × frame_width. The output pixels of rows top to bottom and columns left to right show it
// (half-open, perhaps empty); pixel (top + i, left + j) is entry i of the vertical axis and entry j of the
// horizontal one, both of which count source pixels from (y, x).
struct ImageTask {
    SampledPlane planes[3];  // see PixelSource
    std::int32_t frame_height, frame_width;
    std::int32_t y, x;
    std::int32_t top, bottom, left, right;
    AxisTable vertical, horizontal;
};

// What the bytes of a frame are.
enum class SourceKind : std::int32_t {
    interleaved,  // plane 0: three bytes a pixel
    grey,         // plane 0: one byte a pixel
    yuv,          // planes of Y, U and V, which may be interleaved with each other
    bayer         // plane 0: one byte a pixel
};

// How pixels are made of the planes of a task. Of yuv, the luma of pixel (y, x) is at luma_step × x in row y
// of plane 0, its chroma at chroma_step × ⌊x / 2⌋ in row y >> chroma_row_shift of planes 1 and 2.
struct PixelSource {
    SourceKind kind;
    std::int32_t luma_step, chroma_step, chroma_row_shift;
    BayerRow bayer;  // the first row
};

// The kernel's argument; there are as many images as blocks along z. `element_type` is an ElementType.
// Strides are in elements. Output channel c is made of source channel 2 - c if `reversed`, and of c if not.
struct ResizeNormalizeArguments {
    void* output;
    std::int32_t element_type;
    std::int32_t height, width;
    std::int64_t pixel_stride, channel_stride;
    bool reversed;
    PixelSource source;
    const ImageTask* images;
    const std::int32_t* table;
    NormalizePixel normalize[3];
    Quantize quantize;
    std::uint8_t pad[3];
};

// A block makes a tile of the output, and has kTileWidth × kThreadRows threads. For filters that read the
// nearest pixels a tile has as many rows as the block, for the others kTileHeight.
constexpr int kTileWidth = 32;
constexpr int kTileHeight = 16;
constexpr int kThreadRows = 8;

}  // namespace tundish::cuda
