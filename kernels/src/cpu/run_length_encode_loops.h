// The inner loop of run_length_encode as a table of functions, one table per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/isa.h"

namespace tundish {

// Columns that are turned into bits at a time: a cache line of pixels.
constexpr std::size_t kMaskStrip = 64;

// Rows that make a word of bits.
constexpr std::size_t kMaskRows = 64;

struct RunLengthEncodeLoops {
    // Bit r of words[c] is set where pixels[r × width + c] is not 0, for `rows` rows, at most kMaskRows, and
    // kMaskStrip columns; bits above are 0.
    void (*gather_words)(const std::uint8_t* pixels, std::size_t width, std::size_t rows,
                         std::uint64_t* words);
};

// Tables for what kernels/CMakeLists.txt compiles run_length_encode_loops.cpp into.
namespace scalar {
extern const RunLengthEncodeLoops kRunLengthEncodeLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const RunLengthEncodeLoops kRunLengthEncodeLoops;
}
namespace avx512 {
extern const RunLengthEncodeLoops kRunLengthEncodeLoops;
}
#elif defined(__aarch64__)
namespace neon {
extern const RunLengthEncodeLoops kRunLengthEncodeLoops;
}
#endif

// `isa` must be available.
inline const RunLengthEncodeLoops& run_length_encode_loops(Isa isa) {
#if defined(__x86_64__)
    if (without_byte_products(isa) == Isa::avx512) {
        return avx512::kRunLengthEncodeLoops;
    }
    if (without_byte_products(isa) == Isa::avx2) {
        return avx2::kRunLengthEncodeLoops;
    }
#elif defined(__aarch64__)
    if (isa == Isa::neon) {
        return neon::kRunLengthEncodeLoops;
    }
#endif
    static_cast<void>(isa);
    return scalar::kRunLengthEncodeLoops;
}

}  // namespace tundish
