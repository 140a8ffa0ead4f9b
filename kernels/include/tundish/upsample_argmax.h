// From a segmentation model's logits to the class of each pixel at the image's size, on the CPU.
#pragma once

#include <cstdint>

#include "tundish/isa.h"

namespace tundish {

constexpr std::int64_t kMaximumMaskExtent = 65536;
constexpr std::int64_t kMaximumMaskClasses = 65536;

// A C-contiguous [batch, classes, height, width] array that the caller owns.
struct LogitMaps {
    const float* data;
    std::int64_t batch;
    std::int64_t classes;
    std::int64_t height;
    std::int64_t width;
};

// A C-contiguous [batch, height, width] array that the caller owns.
template <typename Label>
struct LabelMaps {
    Label* data;
    std::int64_t batch;
    std::int64_t height;
    std::int64_t width;
};

// Writes for each pixel of `destination` the class whose logits, interpolated bilinearly to this size
// (align_corners=False, no antialias, also where it is smaller), are the greatest; the lowest of equals. NaN
// counts as below every number; a pixel with nothing above -infinity has the class 0. An infinity makes NaN
// where one of its weights is 0.
//
// Each row is interpolated first along the width, then along the height, in float32 with the weights of
// torch.nn.functional.interpolate. Labels can differ from an argmax of PyTorch's result only where two
// classes differ by what rounding in another order gives them (a few 2^-24 of their magnitude), or where it
// has a NaN, which PyTorch puts first. All instruction sets give the same labels.
//
// Blocks, on the calling thread alone; safe to call from many threads. Borrows all arguments for the call.
// Scratch memory, freed before the return: 256 KiB, or 512 bytes a class where that is more, and 20 bytes for
// each column of the destination.
//
// Throws std::invalid_argument, with one sentence that says what was expected and what came, before anything
// is written: a null pointer, a size below 1 or above its maximum, more than 256 classes for labels in uint8,
// batches that differ, overlapping memory, an instruction set that is not available. Throws std::bad_alloc.
template <typename Label>
void upsample_argmax_into(const LabelMaps<Label>& destination, const LogitMaps& logits,
                          Isa isa = selected_isa());

extern template void upsample_argmax_into(const LabelMaps<std::uint8_t>&, const LogitMaps&, Isa);
extern template void upsample_argmax_into(const LabelMaps<std::int32_t>&, const LogitMaps&, Isa);

}  // namespace tundish
