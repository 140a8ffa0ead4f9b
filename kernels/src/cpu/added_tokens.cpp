// Leftmost-longest matches of a few patterns, and what their settings make of them.
#include "added_tokens.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "arguments.h"
#include "unicode.h"

namespace tundish {
namespace {

const std::uint8_t* bytes_of(const std::string& text) {
    return reinterpret_cast<const std::uint8_t*>(text.data());
}

// The start of the character that ends at `end`.
std::size_t previous_character(const std::uint8_t* text, std::size_t end) {
    do {
        --end;
    } while ((text[end] & 0xC0) == 0x80);
    return end;
}

std::uint8_t properties_at(const std::uint8_t* text) { return code_point_properties(decode_utf8(text)); }

std::size_t skip_whitespace_left(const std::uint8_t* text, std::size_t end) {
    while (end > 0) {
        const std::size_t begin = previous_character(text, end);
        if ((properties_at(text + begin) & kWhitespace) == 0) {
            break;
        }
        end = begin;
    }
    return end;
}

std::size_t skip_whitespace_right(const std::uint8_t* text, std::size_t begin, std::size_t size) {
    while (begin < size) {
        const std::uint8_t* next = text + begin;
        if ((code_point_properties(decode_utf8(next)) & kWhitespace) == 0) {
            break;
        }
        begin = static_cast<std::size_t>(next - text);
    }
    return begin;
}

std::vector<std::pair<std::string, std::int32_t>> numbered(const std::vector<std::string>& patterns) {
    std::vector<std::pair<std::string, std::int32_t>> made;
    for (std::size_t i = 0; i < patterns.size(); ++i) {
        const std::string& pattern = patterns[i];
        const std::string name = element("added_tokens", i);
        if (pattern.empty()) {
            reject(name + " must not be empty once normalized", "''");
        }
        if (std::count(patterns.begin(), patterns.end(), pattern) > 1) {
            reject(name + " must differ from the others", "'" + pattern + "'");
        }
        const std::uint8_t* const bytes = bytes_of(pattern);
        const std::size_t last = previous_character(bytes, pattern.size());
        if (((properties_at(bytes) | properties_at(bytes + last)) & kWhitespace) != 0) {
            reject(name + " must not begin or end in whitespace once normalized", "'" + pattern + "'");
        }
        made.emplace_back(pattern, static_cast<std::int32_t>(i));
    }
    return made;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens, const std::vector<std::string>& patterns)
    : tokens_(std::move(tokens)), patterns_(numbered(patterns), "") {
    for (const std::string& pattern : patterns) {
        const std::uint8_t byte = *bytes_of(pattern);
        if (!begins_a_token_[byte]) {
            begins_a_token_[byte] = true;
            first_bytes_.push_back(byte);
        }
    }
}

const std::uint8_t* AddedTokenFinder::find_first_byte(const std::uint8_t* text,
                                                      const std::uint8_t* end) const {
    if (text == end || first_bytes_.empty()) {
        return end;
    }
    if (first_bytes_.size() == 1) {
        const void* const found = std::memchr(text, first_bytes_[0], static_cast<std::size_t>(end - text));
        return found == nullptr ? end : static_cast<const std::uint8_t*>(found);
    }
    return std::find_if(text, end, [this](std::uint8_t byte) { return begins_a_token_[byte]; });
}

bool AddedTokenFinder::stands_alone(const std::uint8_t* text, const TextPiece& match,
                                    std::size_t size) const {
    const bool word_before =
        match.begin > 0 && (properties_at(text + previous_character(text, match.begin)) & kWord) != 0;
    const bool word_behind = match.end < size && (properties_at(text + match.end) & kWord) != 0;
    return !word_before && !word_behind;
}

void AddedTokenFinder::split(const std::uint8_t* text, std::size_t size,
                             std::vector<TextPiece>& pieces) const {
    pieces.clear();
    const std::uint8_t* const end = text + size;
    const WordTrie trie = patterns_.view();
    std::size_t done = 0;
    for (const std::uint8_t* next = find_first_byte(text, end); next != end;
         next = find_first_byte(next, end)) {
        const std::uint8_t* behind = next;
        const std::uint32_t unit = match_longest(trie, trie.first, behind, end);
        if (unit == 0) {
            ++next;
            continue;
        }
        const AddedToken& token = tokens_[static_cast<std::size_t>(trie.ids[unit])];
        const auto token_begin = static_cast<std::size_t>(next - text);
        const auto token_end = static_cast<std::size_t>(behind - text);
        TextPiece match{token_begin, token_end, token.id, token_begin, token_end};
        next = behind;  // wherever whitespace is added to: the library finds all matches before that
        if (token.single_word && !stands_alone(text, match, size)) {
            continue;
        }
        if (token.strip_left) {
            match.begin = std::max(skip_whitespace_left(text, match.begin), done);
        }
        if (token.strip_right) {
            match.end = skip_whitespace_right(text, match.end, size);
        }
        if (done < match.begin) {
            pieces.push_back({done, match.begin, -1, done, match.begin});
        }
        pieces.push_back(match);
        done = match.end;
    }
    if (done < size) {
        pieces.push_back({done, size, -1, done, size});
    }
}

}  // namespace tundish
