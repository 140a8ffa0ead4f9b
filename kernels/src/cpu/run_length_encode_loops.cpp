// The inner loop of run_length_encode; compiled once per instruction set, into the namespace TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations (see row_kernels.cpp).
#include "run_length_encode_loops.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

// Eight rows, at most, as the bits of a byte for each column.
void gather_bytes(const std::uint8_t* pixels, std::size_t width, std::size_t rows, std::uint8_t* bytes) {
    std::uint8_t bits[kMaskStrip] = {};
    for (std::size_t r = 0; r < rows; ++r) {
        const std::uint8_t* const row = pixels + r * width;
        const auto bit = static_cast<std::uint8_t>(1U << r);
        std::uint8_t set[kMaskStrip];  // apart from the bits, because compilers make a branch of both at once
        for (std::size_t c = 0; c < kMaskStrip; ++c) {
            set[c] = row[c] != 0 ? bit : 0;
        }
        for (std::size_t c = 0; c < kMaskStrip; ++c) {
            bits[c] |= set[c];
        }
    }
    for (std::size_t c = 0; c < kMaskStrip; ++c) {
        bytes[c] = bits[c];
    }
}

void gather_words(const std::uint8_t* pixels, std::size_t width, std::size_t rows, std::uint64_t* words) {
    for (std::size_t c = 0; c < kMaskStrip; ++c) {
        words[c] = 0;
    }
    for (std::size_t begin = 0; begin < rows; begin += 8) {
        std::uint8_t bytes[kMaskStrip];
        gather_bytes(pixels + begin * width, width, rows - begin < 8 ? rows - begin : 8, bytes);
        for (std::size_t c = 0; c < kMaskStrip; ++c) {
            words[c] |= static_cast<std::uint64_t>(bytes[c]) << begin;
        }
    }
}

}  // namespace

extern const RunLengthEncodeLoops kRunLengthEncodeLoops = {gather_words};

}  // namespace TUNDISH_ISA
}  // namespace tundish
