// Arithmetic on one element, written once for the CPU loops and for CUDA kernels.
#pragma once

#include <math.h>
#include <string.h>

#include <cstdint>

// Forced inlining is for correctness, not speed: a copy of a function out of line, compiled for the newest
// instruction set, might be the one the linker keeps for all of them.
#if defined(__CUDACC__)
#define TUNDISH_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define TUNDISH_HOST_DEVICE inline __attribute__((always_inline))
#endif

namespace tundish {

// Resampling weights are integers in units of 2^-22: eight bits of pixel, two for overshoot and sign, 22
// remain of 32.
constexpr int kCoefficientBits = 22;

// A sum of coefficient × pixel starts here, so that dropping the fraction rounds half up.
constexpr std::int32_t kRoundingHalf = std::int32_t{1} << (kCoefficientBits - 1);

// Turns such a sum into a pixel. The shift of a negative sum is arithmetic on every compiler we build with.
TUNDISH_HOST_DEVICE std::uint8_t round_to_pixel(std::int32_t sum) {
    const std::int32_t value = sum >> kCoefficientBits;
    return static_cast<std::uint8_t>(value < 0 ? 0 : (value > 255 ? 255 : value));
}

// pixel -> pixel × multiplier + offset, rounded once. An explicit fma, with contraction off everywhere, is
// what makes every instruction set and the GPU agree to the bit.
struct NormalizePixel {
    float multiplier;
    float offset;

    TUNDISH_HOST_DEVICE float operator()(std::uint8_t pixel) const {
        return fmaf(static_cast<float>(pixel), multiplier, offset);
    }
};

// Halves by the nearest even, as IEEE 754 rounds; beyond the greatest half comes infinity. Not for NaN.
TUNDISH_HOST_DEVICE std::uint16_t float_to_half(float value) {
    std::uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const std::uint32_t sign = (bits >> 16) & 0x8000U;
    const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
    if (magnitude >= 0x477FF000U) {  // half-way from 65504 to 65536
        return static_cast<std::uint16_t>(sign | 0x7C00U);
    }
    if (magnitude < 0x38800000U) {  // below 2^-14, the smallest normal half, all halves are 2^-24 apart
        return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(rintf(fabsf(value) * 0x1p24F)));
    }
    const std::uint32_t rounded = magnitude + 0xFFFU + ((magnitude >> 13) & 1U);
    return static_cast<std::uint16_t>(sign | ((rounded >> 13) - (112U << 10)));
}

// ONNX's QuantizeLinear: round(value / scale) + zero_point with ties to even, held within [low, high].
struct Quantize {
    float scale;
    std::int32_t zero_point;
    std::int32_t low;
    std::int32_t high;

    TUNDISH_HOST_DEVICE std::int32_t operator()(float value) const {
        const float steps = rintf(value / scale);
        const auto least = static_cast<float>(low - zero_point);
        const auto most = static_cast<float>(high - zero_point);
        return static_cast<std::int32_t>(steps < least ? least : (steps > most ? most : steps)) + zero_point;
    }
};

// Bilinear interpolation in integers, rows first: a blended row holds pixels in units of 1/128, with half a
// pixel added (64) so that the second step rounds by dropping the fraction. Weights of the lower row are in
// units of 2^-15, at most 2^15 - 1; those of the right column in units of 2^-14. Both roundings and both
// weights together shift a pixel by less than 0.02 before it is rounded.
constexpr int kRowWeightBits = 15;
constexpr int kColumnWeightBits = 14;

TUNDISH_HOST_DEVICE std::int16_t blend_rows(std::uint8_t upper, std::uint8_t lower, std::int16_t weight) {
    const std::int32_t step = ((lower - upper) * 128 * weight + (1 << 14)) >> kRowWeightBits;
    return static_cast<std::int16_t>(upper * 128 + 64 + step);
}

TUNDISH_HOST_DEVICE std::uint8_t blend_columns(std::int16_t left, std::int16_t right, std::int16_t weight) {
    const std::int32_t sum = left * ((1 << kColumnWeightBits) - weight) + right * weight;
    return static_cast<std::uint8_t>(sum >> (kColumnWeightBits + 7));
}

// BT.601 with limited range, in units of 2^-20, as OpenCV has it.
constexpr int kYuvBits = 20;
constexpr std::int32_t kLumaWeight = 1220542;
constexpr std::int32_t kRedByV = 1673527;
constexpr std::int32_t kGreenByV = -852492;
constexpr std::int32_t kGreenByU = -409993;
constexpr std::int32_t kBlueByU = 2116026;

struct YuvToRgb {
    std::int32_t red;
    std::int32_t green;
    std::int32_t blue;

    TUNDISH_HOST_DEVICE YuvToRgb(std::uint8_t luma, std::uint8_t u, std::uint8_t v) {
        const std::int32_t y = (luma < 16 ? 0 : luma - 16) * kLumaWeight + (1 << (kYuvBits - 1));
        red = clip((y + kRedByV * (v - 128)) >> kYuvBits);
        green = clip((y + kGreenByV * (v - 128) + kGreenByU * (u - 128)) >> kYuvBits);
        blue = clip((y + kBlueByU * (u - 128)) >> kYuvBits);
    }

    static TUNDISH_HOST_DEVICE std::int32_t clip(std::int32_t value) {
        return value < 0 ? 0 : (value > 255 ? 255 : value);
    }
};

}  // namespace tundish
