// The inner loop over plain ASCII of wordpiece as a table of functions, one table per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/isa.h"

namespace tundish {

// Text is taken in blocks of 64 bytes: one bit a byte in a word of masks.
constexpr std::size_t kAsciiBlock = 64;

struct AsciiRules {
    bool lowercase;
    bool clean_text;
};

struct AsciiKernels {
    // Reads `size` bytes, in which words are separated by whitespace and each punctuation mark is a word.
    // Writes them to `output`, in lowercase and with blanks for whitespace if so ruled, and where the words
    // begin and end in ascending order to `begins` and `ends`; returns how many. All three have room for
    // `size` items and kAsciiBlock more, which are written to as well. Returns kNotPlain, having written
    // anything there, if a byte is not ASCII or is a control character that the rules remove.
    std::size_t (*split)(const std::uint8_t* text, std::size_t size, AsciiRules rules, std::uint8_t* output,
                         std::uint32_t* begins, std::uint32_t* ends);
};

constexpr std::size_t kNotPlain = ~std::size_t{0};

// Tables for what kernels/CMakeLists.txt compiles ascii_kernels.cpp into.
namespace scalar {
extern const AsciiKernels kAsciiKernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const AsciiKernels kAsciiKernels;
}
namespace avx512 {
extern const AsciiKernels kAsciiKernels;
}
#elif defined(__aarch64__)
namespace neon {
extern const AsciiKernels kAsciiKernels;
}
#endif

// `isa` must be available.
inline const AsciiKernels& ascii_kernels(Isa isa) {
#if defined(__x86_64__)
    if (without_byte_products(isa) == Isa::avx512) {
        return avx512::kAsciiKernels;
    }
    if (without_byte_products(isa) == Isa::avx2) {
        return avx2::kAsciiKernels;
    }
#elif defined(__aarch64__)
    if (isa == Isa::neon) {
        return neon::kAsciiKernels;
    }
#endif
    static_cast<void>(isa);
    return scalar::kAsciiKernels;
}

}  // namespace tundish
