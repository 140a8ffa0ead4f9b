// The characters of COCO's compressed run lengths; for the CPU and for CUDA kernels.
#pragma once

#include <cstdint>

#include "tundish/pixel.h"

namespace tundish {

constexpr std::int64_t kFirstCharacter = 48;
constexpr std::int64_t kPieceBits = 5;
constexpr std::int64_t kPieceMask = 31;
constexpr std::int64_t kPieceSign = 16;
constexpr std::int64_t kMoreFollow = 32;

// A run length has 32 bits and a difference of two 33.
constexpr int kLongestNumber = 7;

// Takes the lowest piece off `number` and returns its character; `more` says whether another follows.
TUNDISH_HOST_DEVICE std::uint8_t take_character(std::int64_t& number, bool& more) {
    const std::int64_t piece = number & kPieceMask;
    number >>= kPieceBits;  // arithmetic on every compiler we build with
    more = number != ((piece & kPieceSign) != 0 ? -1 : 0);
    return static_cast<std::uint8_t>(kFirstCharacter + piece + (more ? kMoreFollow : 0));
}

}  // namespace tundish
