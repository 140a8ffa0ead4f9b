// What the host tells the GPU of a call of run_length_encode; read by both compilers.
#pragma once

#include <cstdint>

namespace tundish::cuda {

// Pixels of a column that make a word of bits, the lowest bit the uppermost.
constexpr int kWordRows = 32;

// Of each mask, `words` has those of the first column from top to bottom, then those of the second, and so
// on. Bits below the last row are 0.
struct RunLengthEncodeArguments {
    std::uint8_t* text;
    std::int64_t* lengths;
    std::int64_t capacity;
    const std::uint8_t* masks;
    std::int32_t height, width;
    std::int32_t column_words;
    std::uint32_t* words;
};

// A block that makes words has kPackColumns × kPackWords threads, each of which makes one.
constexpr int kPackColumns = 32;
constexpr int kPackWords = 8;

// Threads of the block that writes the text of a mask.
constexpr int kEncodeThreads = 512;

}  // namespace tundish::cuda
