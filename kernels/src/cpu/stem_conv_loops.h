// The inner loops of stem_conv as a table of functions, one table per instruction set.
//
// Pixels have their three channels side by side, so that a row of the kernel is one run of bytes, which is
// taken by fours.
#pragma once

#include <cstddef>
#include <cstdint>

#include "conv_layout.h"
#include "tundish/isa.h"

namespace tundish {

constexpr std::size_t kStemChannels = 3;

// How a channel's floats become bytes.
struct PixelScale {
    float scale;
    std::uint8_t zero;
};

// A row of output of a block of channels.
struct StemRow {
    const std::uint8_t*
        pixels;             // of the first row of the kernel, from what the first position of output reads on
    std::size_t row_bytes;  // from one row to the next
    std::size_t rows;       // of the kernel
    std::size_t fours;      // of a row of the kernel; what the last reads beyond the row has weights of 0
    std::size_t step;       // bytes from what a position of output reads to what the next does
    const std::uint8_t* weights;  // [rows, fours, width × weight_bytes]
    ConvRounding rounding;
    std::uint8_t* output;
    std::size_t output_step;  // bytes from one position to the next
    std::size_t outputs;
};

struct StemConvLoops {
    // Rounds a row of three planes to pixels; `scratch` is [3, columns].
    void (*quantize)(const float* const* planes, const PixelScale* scales, std::size_t columns,
                     std::uint8_t* scratch, std::uint8_t* pixels);

    void (*convolve)(const StemRow& row, std::size_t width);
};

// Tables for what kernels/CMakeLists.txt compiles stem_conv_loops.cpp into.
namespace scalar {
extern const StemConvLoops kStemConvLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const StemConvLoops kStemConvLoops;
}
namespace avx2_vnni {
extern const StemConvLoops kStemConvLoops;
}
namespace avx512 {
extern const StemConvLoops kStemConvLoops;
}
namespace avx512_vnni {
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
    if (isa == Isa::avx512_vnni) {
        return avx512_vnni::kStemConvLoops;
    }
    if (isa == Isa::avx512) {
        return avx512::kStemConvLoops;
    }
    if (isa == Isa::avx2_vnni) {
        return avx2_vnni::kStemConvLoops;
    }
    if (isa == Isa::avx2) {
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
