// One text's way through a tokenizer: added tokens, normalisation, words, subwords.
#include <algorithm>
#include <cstring>

#include "unicode.h"
#include "wordpiece_tables.h"

namespace tundish {
namespace {

// Text is normalised this much at a time, so that it is in the nearest cache when its words are looked up,
// and that a text that is truncated is not read to its end.
constexpr std::size_t kPart = 4096;

std::size_t count_characters(const std::uint8_t* text, std::size_t size) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < size; ++i) {
        count += (text[i] & 0xC0) != 0x80 ? 1 : 0;
    }
    return count;
}

// The size of the first part: nothing on one side of a blank has a bearing on the other.
std::size_t part_size(const std::uint8_t* text, std::size_t size) {
    if (size <= kPart) {
        return size;
    }
    const void* const blank = std::memchr(text + kPart, ' ', size - kPart);
    return blank == nullptr ? size
                            : static_cast<std::size_t>(static_cast<const std::uint8_t*>(blank) - text) + 1;
}

}  // namespace

void TextTokenizer::tokenize(const TextView& text, std::size_t enough, TokenSequence& made) {
    made.size = 0;
    characters_before_ = 0;
    word_count_ = 0;
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(text.data);
    tables_.raw_tokens.split(bytes, text.size, raw_pieces_);
    for (const TextPiece& piece : raw_pieces_) {
        const std::uint8_t* const begin = bytes + piece.begin;
        const std::size_t size = piece.end - piece.begin;
        if (piece.id < 0) {
            add_text(begin, size, enough, made);
        } else {
            const std::size_t characters = with_offsets_ ? count_characters(begin, size) : 0;
            add_added_token(piece, bytes, characters_before_, characters_before_ + characters, made);
            characters_before_ += characters;
        }
        if (made.size >= enough) {
            return;
        }
    }
}

void TextTokenizer::add_text(const std::uint8_t* text, std::size_t size, std::size_t enough,
                             TokenSequence& made) {
    while (size > 0 && made.size < enough) {
        // A normalised token may have blanks of its own.
        const std::size_t part = tables_.normalized_tokens.empty() ? part_size(text, size) : size;
        tables_.normalizer.normalize(text, part, with_offsets_, isa_, normalized_);
        add_normalized(enough, made);
        characters_before_ += with_offsets_ ? count_characters(text, part) : 0;
        text += part;
        size -= part;
    }
}

void TextTokenizer::add_normalized(std::size_t enough, TokenSequence& made) {
    if (tables_.normalized_tokens.empty()) {
        for (std::size_t word = 0; word < normalized_.words && made.size < enough; ++word) {
            add_word(normalized_.begins.data()[word], normalized_.ends.data()[word], made);
        }
        return;
    }
    tables_.normalized_tokens.split(normalized_.bytes.data(), normalized_.size, normalized_pieces_);
    for (const TextPiece& piece : normalized_pieces_) {
        if (piece.id < 0) {
            add_words(piece.begin, piece.end, enough, made);
            continue;
        }
        add_added_token(piece, normalized_.bytes.data(), characters_before_ + normalized_.origin(piece.begin),
                        characters_before_ + normalized_.origin(piece.end - 1) + 1, made);
    }
}

// The words of a range of the normalised text, cut off at its ends.
void TextTokenizer::add_words(std::size_t begin, std::size_t end, std::size_t enough, TokenSequence& made) {
    const std::uint32_t* const ends = normalized_.ends.data();
    const std::uint32_t* const first = std::upper_bound(ends, ends + normalized_.words, begin);
    for (auto word = static_cast<std::size_t>(first - ends); word < normalized_.words && made.size < enough;
         ++word) {
        const std::size_t word_begin = std::max<std::size_t>(normalized_.begins.data()[word], begin);
        if (word_begin >= end) {
            break;
        }
        add_word(word_begin, std::min<std::size_t>(ends[word], end), made);
    }
}

// Returns how many, or 0 for an unknown word; see match_word. The normalised text has room behind it.
std::size_t TextTokenizer::find_subwords(const std::uint8_t* word, std::size_t size, std::int32_t* ids,
                                         std::uint32_t* ends) const {
    const std::size_t maximum = tables_.maximum_word_characters;
    if (size > maximum && count_characters(word, size) > maximum) {
        return 0;
    }
    const std::int32_t id = size <= ShortWords::kLongest ? tables_.short_words.find(word, size) : -1;
    if (id < 0) {
        return match_word(tables_.trie.view(), word, word + size, ids, ends);
    }
    ids[0] = id;
    if (ends != nullptr) {
        ends[0] = static_cast<std::uint32_t>(size);
    }
    return 1;
}

void TextTokenizer::add_word(std::size_t begin, std::size_t end, TokenSequence& made) {
    const std::size_t size = end - begin;
    std::uint32_t* const ends = with_offsets_ ? subword_ends_.reserve(size) : nullptr;
    std::int32_t* const ids = made.ids.extend(made.size, made.size + size) + made.size;
    const std::size_t count = find_subwords(normalized_.bytes.data() + begin, size, ids, ends);
    if (count == 0) {
        add_token(tables_.unknown_id, characters_before_ + normalized_.origin(begin),
                  characters_before_ + normalized_.origin(end - 1) + 1, made);
        ++word_count_;
        return;
    }
    const std::size_t before = made.size;
    made.size += count;
    if (with_offsets_) {
        std::int32_t* const offsets = made.offsets.extend(2 * before, 2 * made.size) + 2 * before;
        std::size_t start = begin;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t behind = begin + ends[i];
            offsets[2 * i] = static_cast<std::int32_t>(characters_before_ + normalized_.origin(start));
            offsets[2 * i + 1] =
                static_cast<std::int32_t>(characters_before_ + normalized_.origin(behind - 1) + 1);
            start = behind;
        }
    }
    if (with_word_ids_) {
        std::fill_n(made.word_ids.extend(before, made.size) + before, count, word_count_);
    }
    ++word_count_;
}

// `piece` is a part of `text`, which stems from the characters [begin, end).
void TextTokenizer::add_added_token(const TextPiece& piece, const std::uint8_t* text, std::size_t begin,
                                    std::size_t end, TokenSequence& made) {
    if (tables_.trim_offsets && with_offsets_) {
        const std::size_t leading = count_characters(text + piece.begin, piece.token_begin - piece.begin);
        const std::size_t trailing = count_characters(text + piece.token_end, piece.end - piece.token_end);
        begin = std::min(begin + leading, end);
        end = end < trailing ? end : std::max(end - trailing, begin);
    }
    add_token(piece.id, begin, end, made);
    ++word_count_;
}

void TextTokenizer::add_token(std::int32_t id, std::size_t begin, std::size_t end, TokenSequence& made) {
    const std::size_t at = made.size++;
    made.ids.extend(at, made.size)[at] = id;
    if (with_offsets_) {
        std::int32_t* const offsets = made.offsets.extend(2 * at, 2 * made.size) + 2 * at;
        offsets[0] = static_cast<std::int32_t>(begin);
        offsets[1] = static_cast<std::int32_t>(end);
    }
    if (with_word_ids_) {
        made.word_ids.extend(at, made.size)[at] = word_count_;
    }
}

}  // namespace tundish
