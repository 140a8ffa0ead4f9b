// A vocabulary of subwords as one flat array, and the match of a word against it; for the CPU and for CUDA.
#pragma once

#include <cstdint>

#include "tundish/pixel.h"

namespace tundish {

// A double array over bytes of UTF-8. The children of unit u are at offset(u) ^ byte, and hold that byte; no
// two units have the same offset, so the byte is proof enough. Unused units hold 0xFF, which no UTF-8 has;
// offset 0 is a block of unused units and belongs to units without children.
//
// A unit is offset << 9 | ends a subword << 8 | byte. The caller owns the arrays.
struct WordTrie {
    const std::uint32_t* units;
    const std::int32_t* ids;     // of the subword that ends at a unit
    std::uint32_t first;         // the unit that a word starts from
    std::uint32_t continuation;  // the unit behind the prefix of continuing subwords; 0 if there are none
};

// Finds the longest subword at the start of [text, end), walking from `unit`. Returns the unit that it ends
// at, and moves `text` behind it; or 0, and `text` stays, if there is none.
TUNDISH_HOST_DEVICE std::uint32_t match_longest(const WordTrie& trie, std::uint32_t unit,
                                                const std::uint8_t*& text, const std::uint8_t* end) {
    std::uint32_t found = 0;
    std::uint32_t value = trie.units[unit];
    for (const std::uint8_t* next = text; next != end;) {
        const std::uint32_t child = (value >> 9) ^ *next;
        value = trie.units[child];
        if ((value & 0xFF) != *next) {
            break;
        }
        ++next;
        if ((value & 0x100) != 0) {
            found = child;
            text = next;
        }
    }
    return found;
}

// Splits the word [begin, end) greedily into the longest subwords. Writes their ids, and through `ends` how
// far each reaches into the word in bytes, if `ends` is not null; both must have room for a subword a byte.
// Returns how many, or 0 if the vocabulary does not cover the word.
TUNDISH_HOST_DEVICE std::uint32_t match_word(const WordTrie& trie, const std::uint8_t* begin,
                                             const std::uint8_t* end, std::int32_t* ids,
                                             std::uint32_t* ends) {
    std::uint32_t count = 0;
    std::uint32_t start = trie.first;
    for (const std::uint8_t* text = begin; text != end; start = trie.continuation) {
        const std::uint32_t unit = match_longest(trie, start, text, end);
        if (unit == 0) {
            return 0;
        }
        ids[count] = trie.ids[unit];
        if (ends != nullptr) {
            ends[count] = static_cast<std::uint32_t>(text - begin);
        }
        ++count;
    }
    return count;
}

}  // namespace tundish
