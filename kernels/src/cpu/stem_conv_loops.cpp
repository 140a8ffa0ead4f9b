// The inner loops of stem_conv; compiled once per instruction set, into the namespace TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations (see row_kernels.cpp).
#include "stem_conv_loops.h"

#include "conv_sums.h"
#include "interleave.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

// Rounds by the reciprocal of the scale, which is a third of a division's time; returns whether a quotient
// may be so near the middle of two whole numbers that a division would give the other. The product differs
// from the quotient by less than 2^-22 of it, which is below 2^9 where it is not held.
bool quantize_by_reciprocal(const float* values, std::size_t count, float reciprocal, std::uint8_t zero,
                            std::uint8_t* __restrict bytes) {
    constexpr float kNearMiddle = 0.5F - 0x1p-11F;
    const float lowest = -static_cast<float>(zero), highest = 255.0F + lowest;
    std::int32_t near_middle = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const float quotient = values[i] * reciprocal;
        const float above = quotient > lowest ? quotient : lowest;
        const float held = above < highest ? above : highest;
        const std::int32_t whole = to_whole(held);
        const float off = held - static_cast<float>(whole);
        near_middle |=
            static_cast<std::int32_t>(off > kNearMiddle) | static_cast<std::int32_t>(off < -kNearMiddle);
        bytes[i] = static_cast<std::uint8_t>(whole + zero);
    }
    return near_middle != 0;
}

void quantize_pixels(const float* const* planes, const PixelScale* scales, std::size_t columns,
                     std::uint8_t* scratch, std::uint8_t* pixels) {
    for (std::size_t channel = 0; channel < kStemChannels; ++channel) {
        const float* const values = planes[channel];
        const PixelScale scale = scales[channel];
        std::uint8_t* __restrict const bytes = scratch + channel * columns;
        const float reciprocal = 1.0F / scale.scale;
        // Of a scale that has a whole one.
        const bool has_reciprocal = reciprocal >= 0x1p-126F && reciprocal <= 0x1p126F;
        if (has_reciprocal && !quantize_by_reciprocal(values, columns, reciprocal, scale.zero, bytes)) {
            continue;
        }
        for (std::size_t i = 0; i < columns; ++i) {
            bytes[i] = to_byte(values[i] / scale.scale, scale.zero);
        }
    }
    interleave(scratch, scratch + columns, scratch + 2 * columns, columns, pixels);
}

}  // namespace

extern const StemConvLoops kStemConvLoops = {quantize_pixels};

}  // namespace TUNDISH_ISA
}  // namespace tundish
