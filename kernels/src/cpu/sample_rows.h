// The loops of filters that read one pixel or the nearest 2 × 2, one table per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/pixel.h"

namespace tundish {

// Interleaved sums of a blended row may be read this many elements past the last pixel that counts.
constexpr std::size_t kBlendSlack = 16;

// The weight of the right pixel in the high half, that of the left in the low half.
inline std::int32_t column_weights(std::int16_t right) {
    return right * 65536 + ((1 << kColumnWeightBits) - right);
}

struct SampleKernels {
    // Takes pixel first[i] of an interleaved row for each i; `first` never falls. `step` is the difference of
    // any two neighbours if there is one, else 0. Reads no byte beyond pixel first[length - 1]. Writes three
    // planes of `length` bytes, plane_stride apart.
    void (*gather)(const std::uint8_t* row, const std::int32_t* first, std::size_t length, std::int32_t step,
                   std::uint8_t* planes, std::size_t plane_stride);

    // See blend_rows in pixel.h.
    void (*blend)(const std::uint8_t* upper, const std::uint8_t* lower, std::int16_t weight, std::size_t size,
                  std::int16_t* output);

    // See blend_columns in pixel.h: pixels first[i] and first[i] + 1 of a blended row, by the weights that
    // column_weights made. Writes as gather does; reads up to kBlendSlack elements after pixel
    // first[length - 1].
    void (*interpolate)(const std::int16_t* row, const std::int32_t* first, const std::int32_t* weights,
                        std::size_t length, std::uint8_t* planes, std::size_t plane_stride);
};

}  // namespace tundish
