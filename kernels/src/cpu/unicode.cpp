// Looks code points up in the generated tables.
#include "unicode.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace tundish {
namespace {

// kPropertyRanges and kCombiningRanges: first, last, value. kLowercaseRanges: first, last, step, lowercase of
// the first. kDecompositions and kLongLowercase: code point, count, code points. All in ascending order.
#include "unicode_tables.inc"

// The row that holds the last `first` that is not above `code`; null if there is none.
template <std::size_t kColumns, std::size_t kSize>
const std::uint32_t* find_row(const std::uint32_t (&table)[kSize], std::uint32_t code) {
    std::size_t low = 0;
    std::size_t high = kSize / kColumns;
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (table[middle * kColumns] <= code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? nullptr : table + (low - 1) * kColumns;
}

// Where the rows of varying length start, so that they can be searched.
template <std::size_t kSize>
std::vector<const std::uint32_t*> row_starts(const std::uint32_t (&table)[kSize]) {
    std::vector<const std::uint32_t*> starts;
    for (const std::uint32_t* row = table; row != std::end(table); row += 2 + row[1]) {
        starts.push_back(row);
    }
    return starts;
}

// The first row at or above `code`; null if there is none.
const std::uint32_t* find_decomposition(std::uint32_t code) {
    static const std::vector<const std::uint32_t*> starts = row_starts(kDecompositions);
    const auto found =
        std::lower_bound(starts.begin(), starts.end(), code,
                         [](const std::uint32_t* row, std::uint32_t key) { return *row < key; });
    return found == starts.end() ? nullptr : *found;
}

template <std::size_t kSize>
std::uint8_t value_in_ranges(const std::uint32_t (&table)[kSize], std::uint32_t code) {
    const std::uint32_t* const row = find_row<3>(table, code);
    return row != nullptr && code <= row[1] ? static_cast<std::uint8_t>(row[2]) : std::uint8_t{0};
}

// Whether no code point of [first, last] is in a range of the table.
template <std::size_t kColumns, std::size_t kSize>
bool is_outside(const std::uint32_t (&table)[kSize], std::uint32_t first, std::uint32_t last) {
    const std::uint32_t* const row = find_row<kColumns>(table, last);
    return row == nullptr || row[1] < first;
}

constexpr std::uint32_t kChinese[][2] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF},
                                         {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF},
                                         {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};

}  // namespace

std::uint8_t code_point_properties(std::uint32_t code) { return value_in_ranges(kPropertyRanges, code); }

std::uint8_t combining_class(std::uint32_t code) { return value_in_ranges(kCombiningRanges, code); }

bool is_chinese(std::uint32_t code) {
    return std::any_of(std::begin(kChinese), std::end(kChinese), [code](const std::uint32_t (&range)[2]) {
        return range[0] <= code && code <= range[1];
    });
}

std::size_t decompose(std::uint32_t code, std::uint32_t* output) {
    if (kFirstHangul <= code && code <= kLastHangul) {
        const std::uint32_t index = code - kFirstHangul;
        output[0] = 0x1100 + index / 588;
        output[1] = 0x1161 + index % 588 / 28;
        output[2] = 0x11A7 + index % 28;
        return index % 28 == 0 ? 2 : 3;
    }
    const std::uint32_t* const row = find_decomposition(code);
    if (row == nullptr || *row != code) {
        *output = code;
        return 1;
    }
    std::copy_n(row + 2, row[1], output);
    return row[1];
}

std::size_t lowercase(std::uint32_t code, std::uint32_t* output) {
    for (const std::uint32_t* row = kLongLowercase; row != std::end(kLongLowercase); row += 2 + row[1]) {
        if (*row == code) {
            std::copy_n(row + 2, row[1], output);
            return row[1];
        }
    }
    const std::uint32_t* const row = find_row<4>(kLowercaseRanges, code);
    const bool changes = row != nullptr && code <= row[1] && (code - row[0]) % row[2] == 0;
    *output = changes ? row[3] + (code - row[0]) : code;
    return 1;
}

bool is_uniform(std::uint32_t first, std::uint32_t count) {
    const std::uint32_t last = first + count - 1;
    const std::uint32_t* const flags = find_row<3>(kPropertyRanges, last);
    const bool same_flags = flags == nullptr || flags[1] < first || (flags[0] <= first && last <= flags[1]);
    const std::uint32_t* const decomposition = find_decomposition(first);
    const bool apart = last < kFirstHangul || kLastHangul < first;
    return same_flags && apart && (decomposition == nullptr || *decomposition > last) &&
           is_outside<3>(kCombiningRanges, first, last) && is_outside<4>(kLowercaseRanges, first, last) &&
           is_chinese(first) == is_chinese(last);
}

std::size_t valid_utf8_prefix(const std::uint8_t* text, std::size_t size) {
    const auto follows = [&](std::size_t at) { return at < size && (text[at] & 0xC0) == 0x80; };
    std::size_t i = 0;
    while (i < size) {
        std::uint64_t eight;
        if (i + sizeof eight <= size) {
            std::memcpy(&eight, text + i, sizeof eight);
            if ((eight & 0x8080808080808080U) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        const std::uint8_t lead = text[i];
        if (lead < 0x80) {
            i += 1;
            continue;
        }
        const std::size_t length = lead < 0xE0 ? 2 : (lead < 0xF0 ? 3 : 4);
        if (lead < 0xC2 || lead > 0xF4) {
            return i;
        }
        for (std::size_t k = 1; k < length; ++k) {
            if (!follows(i + k)) {
                return i;
            }
        }
        const std::uint8_t second = text[i + 1];
        if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
            (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
            return i;
        }
        i += length;
    }
    return size;
}

}  // namespace tundish
