// What a code point is to BERT's normaliser and pre-tokeniser, as Hugging Face's `tokenizers` has it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tundish {

constexpr std::uint32_t kCodePoints = 0x110000;
constexpr std::uint32_t kFirstHangul = 0xAC00;
constexpr std::uint32_t kLastHangul = 0xD7A3;

// Flags of one code point. `kRemoved` is what clean_text takes out; `kMark` is a nonspacing mark; `kWord` is
// a character of a word to added tokens that must stand alone.
constexpr std::uint8_t kRemoved = 1, kWhitespace = 2, kPunctuation = 4, kMark = 8, kWord = 16;

std::uint8_t code_point_properties(std::uint32_t code);

// The canonical combining class: not zero for what canonical ordering may move.
std::uint8_t combining_class(std::uint32_t code);

// The CJK ideographs that handle_chinese_chars puts spaces around.
bool is_chinese(std::uint32_t code);

// At most four code points; returns how many. Marks are in canonical order.
std::size_t decompose(std::uint32_t code, std::uint32_t* output);

// At most two code points; returns how many.
std::size_t lowercase(std::uint32_t code, std::uint32_t* output);

// Whether the two functions above and the properties are the same for all of [first, first + count): no flags
// but perhaps all the same ones, nothing decomposed, moved or lowered.
bool is_uniform(std::uint32_t first, std::uint32_t count);

// Decodes the code point that starts at `text`, which must be valid UTF-8, and moves `text` behind it.
inline std::uint32_t decode_utf8(const std::uint8_t*& text) {
    const std::uint32_t lead = *text++;
    if (lead < 0x80) {
        return lead;
    }
    if (lead < 0xE0) {
        return (lead & 0x1F) << 6 | (*text++ & 0x3FU);
    }
    std::uint32_t code = lead < 0xF0 ? lead & 0x0F : lead & 0x07;
    for (int i = lead < 0xF0 ? 2 : 3; i > 0; --i) {
        code = code << 6 | (*text++ & 0x3FU);
    }
    return code;
}

// Writes one to four bytes; returns how many.
inline std::size_t encode_utf8(std::uint32_t code, std::uint8_t* output) {
    if (code < 0x80) {
        output[0] = static_cast<std::uint8_t>(code);
        return 1;
    }
    const std::size_t size = code < 0x800 ? 2 : (code < 0x10000 ? 3 : 4);
    for (std::size_t i = size - 1; i > 0; --i, code >>= 6) {
        output[i] = static_cast<std::uint8_t>(0x80 | (code & 0x3F));
    }
    constexpr std::uint32_t kLeads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    output[0] = static_cast<std::uint8_t>(kLeads[size] | code);
    return size;
}

// The number of leading bytes that are whole characters of valid UTF-8 (no surrogates, nothing overlong).
std::size_t valid_utf8_prefix(const std::uint8_t* text, std::size_t size);

}  // namespace tundish
