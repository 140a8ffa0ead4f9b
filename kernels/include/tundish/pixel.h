// Arithmetic on one element, written once for the CPU loops and for CUDA kernels.
#pragma once

#include <math.h>

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

}  // namespace tundish
