// Convert, resize, crop or pad, normalise and lay out a batch of images in one pass, on the CPU.
#pragma once

#include <cstddef>

#include "tundish/image.h"
#include "tundish/isa.h"

namespace tundish {

// Writes every element of `destination`; images[i] and windows[i] make destination[i]; `count` is the length
// of both. All images have the pixel format `format`.
//
// Pixels before normalisation:
//   bilinear, bicubic, lanczos: equal, bit for bit, those of PIL.Image.resize in Pillow 11 and 12, then
//     cropped and padded: horizontal pass first, rounded to uint8 between the passes. (Pillow 13, and 12 for
//     images over 100 times as tall as wide, take the vertical pass first where the height shrinks much more
//     than the width; we do not.)
//   bilinear_point: within 0.52 of the exact weighted mean of the 2 × 2 pixels (see blend_rows in pixel.h).
//   bicubic_point: horizontal pass first, rounded to uint8 between the passes, as PyTorch does for uint8.
// Only the part of the resized image that the window shows is computed, and only the rows and columns of the
// source that it needs are converted, a few rows at a time.
//
// Blocks, on the calling thread alone; safe to call from many threads. Borrows all arguments for the call.
// Source images may overlap each other, but not the destination.
//
// Scratch memory is freed before the return and shared by the images: usually under 1 MiB, and never above 24
// MiB whatever the sizes, because wide windows are worked through in strips.
//
// Throws std::invalid_argument, with one sentence that says what was expected and what came, before anything
// is written: no images, a null pointer, a size outside 1 to kMaximumExtent or one that the pixel format does
// not take, an offset beyond it, a parameter that is not finite, a std or quantisation scale that is not
// positive, a pad outside 0 to 255, a zero point outside its type, `batch` other than `count`, overlapping
// memory, an instruction set that is not available. Throws std::bad_alloc.
void resize_normalize_into(const Destination& destination, const ImageView* images, const Window* windows,
                           std::size_t count, PixelFormat format, Filter filter,
                           const Normalization& normalization, Isa isa = selected_isa());

}  // namespace tundish
