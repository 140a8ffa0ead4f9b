// Resize, crop or pad, normalise and transpose to planar in one pass over a batch of images, on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tundish/isa.h"

namespace tundish {

// The greatest height or width of anything in a call, and the farthest offset of a window.
constexpr std::int64_t kMaximumExtent = 65536;

// Pillow's filters: triangle, cubic with a = -0.5, sinc windowed to three lobes; all widened when scaling
// down. `nearest` takes the source pixel under the centre of the output pixel.
enum class Filter { nearest, bilinear, bicubic, lanczos };

// Parses "nearest", "bilinear", "bicubic" or "lanczos"; throws std::invalid_argument for anything else.
Filter parse_filter(const std::string& name);

// A [height, width, 3] uint8 RGB image that the caller owns. Pixels of a row are adjacent; `row_stride` is
// the distance between the starts of two rows in bytes, and may be negative.
struct ImageView {
    const std::uint8_t* data;
    std::int64_t height;
    std::int64_t width;
    std::int64_t row_stride;
};

// The image is resized to resized_height × resized_width, and output pixel (y, x) is resized[y + top, x +
// left], or the pad value where that lies outside.
struct Window {
    std::int64_t resized_height;
    std::int64_t resized_width;
    std::int64_t top;
    std::int64_t left;
};

// output = pixel × (scale / std) - mean / std per channel. The two constants are computed in double and
// rounded to float once. `pad` is a pixel value, 0 to 255, and is normalised like any other.
struct Normalization {
    double scale;
    double mean[3];
    double std[3];
    std::int64_t pad;
};

// A C-contiguous [batch, 3, height, width] float array that the caller owns.
struct Destination {
    float* data;
    std::int64_t batch;
    std::int64_t height;
    std::int64_t width;
};

// Writes every element of `destination`; images[i] and windows[i] make destination[i]; `count` is the length
// of both.
//
// Pixels before normalisation equal, bit for bit, those of PIL.Image.resize in Pillow 11 and 12, then cropped
// and padded: horizontal pass first, rounded to uint8 between the passes. (Pillow 13, and 12 for images over
// 100 times as tall as wide, take the vertical pass first where the height shrinks much more than the width;
// we do not.) Only the part of the resized image that the window shows is computed.
//
// Blocks, on the calling thread alone; safe to call from many threads. Borrows all arguments for the call.
// Source images may overlap each other, but not the destination.
//
// Scratch memory is freed before the return and shared by the images: usually under 1 MiB, and never above 24
// MiB whatever the sizes, because wide windows are worked through in strips.
//
// Throws std::invalid_argument, with one sentence that says what was expected and what came, before anything
// is written: no images, a null pointer, a size outside 1 to kMaximumExtent, an offset beyond it, a parameter
// that is not finite, a std that is not positive, a pad outside 0 to 255, `batch` other than `count`,
// overlapping memory, an instruction set that is not available. Throws std::bad_alloc.
void resize_normalize_into(const Destination& destination, const ImageView* images, const Window* windows,
                           std::size_t count, Filter filter, const Normalization& normalization,
                           Isa isa = selected_isa());

}  // namespace tundish
