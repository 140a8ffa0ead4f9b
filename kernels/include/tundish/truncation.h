// How many tokens of a text, or of each of two, stay where there is not room for all; for the CPU and for
// CUDA.
#pragma once

#include <cstdint>

#include "tundish/pixel.h"

namespace tundish {

// Tokens of the first text and of the second, without special tokens.
struct TokenCounts {
    std::uint64_t first;
    std::uint64_t second;
};

// The shorter text stays whole as long as it is not longer than half the room; of two that are longer, the
// longer one gets the odd token.
TUNDISH_HOST_DEVICE TokenCounts shorten_longest(const TokenCounts& full, std::uint64_t room) {
    const bool swapped = full.first > full.second;
    std::uint64_t shorter = swapped ? full.second : full.first;
    std::uint64_t longer = shorter < room && shorter < room - shorter ? room - shorter : shorter;
    if (shorter + longer > room) {
        shorter = room / 2;
        longer = shorter + room % 2;
    }
    return swapped ? TokenCounts{longer, shorter} : TokenCounts{shorter, longer};
}

// What stays by the rule that `tokenizers` calls longest_first. A text alone has no tokens of the second.
TUNDISH_HOST_DEVICE TokenCounts keep_longest_first(const TokenCounts& full, std::uint64_t room,
                                                   bool is_pair) {
    if (room == 0) {
        return {0, 0};
    }
    if (full.first + full.second <= room) {
        return full;
    }
    return is_pair ? shorten_longest(full, room) : TokenCounts{room, 0};
}

}  // namespace tundish
