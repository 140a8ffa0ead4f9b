// The inner loop of stem_conv that comes before its convolution, as a table of functions, one table per
// instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/isa.h"

namespace tundish {

constexpr std::size_t kStemChannels = 3;

// How a channel's floats become bytes.
struct PixelScale {
    float scale;
    std::uint8_t zero;
};

struct StemConvLoops {
    // Rounds a row of three planes to pixels, whose channels are side by side; `scratch` is [3, columns].
    void (*quantize)(const float* const* planes, const PixelScale* scales, std::size_t columns,
                     std::uint8_t* scratch, std::uint8_t* pixels);
};

// Tables for what kernels/CMakeLists.txt compiles stem_conv_loops.cpp into.
namespace scalar {
extern const StemConvLoops kStemConvLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const StemConvLoops kStemConvLoops;
}
namespace avx512 {
extern const StemConvLoops kStemConvLoops;
}
#elif defined(__aarch64__)
namespace neon {
extern const StemConvLoops kStemConvLoops;
}
#endif

// `isa` must be available.
inline const StemConvLoops& stem_conv_loops(Isa isa) {
#if defined(__x86_64__)
    if (without_byte_products(isa) == Isa::avx512) {
        return avx512::kStemConvLoops;
    }
    if (without_byte_products(isa) == Isa::avx2) {
        return avx2::kStemConvLoops;
    }
#elif defined(__aarch64__)
    if (isa == Isa::neon) {
        return neon::kStemConvLoops;
    }
#endif
    static_cast<void>(isa);
    return scalar::kStemConvLoops;
}

}  // namespace tundish
