// What a tokenizer is made of, and one text's way through it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "added_tokens.h"
#include "bert_normalizer.h"
#include "scratch.h"
#include "short_words.h"
#include "tundish/wordpiece.h"
#include "word_trie.h"

namespace tundish {

struct WordPiece::Tables {
    explicit Tables(WordPieceSettings settings);

    WordTrieStorage trie;
    ShortWords short_words;
    std::int32_t unknown_id;
    std::size_t maximum_word_characters;
    BertNormalizer normalizer;
    AddedTokenFinder raw_tokens;
    AddedTokenFinder normalized_tokens;
    bool trim_offsets;
    std::vector<TemplatePiece> single;
    std::vector<TemplatePiece> pair;
};

// The tokens of one text, without special tokens and before truncation.
struct TokenSequence {
    Scratch<std::int32_t> ids;
    Scratch<std::int32_t> offsets;   // two a token; only if wanted
    Scratch<std::int32_t> word_ids;  // only if wanted
    std::size_t size = 0;
};

// Tokenizes one text after the other; keeps the memory that this takes.
class TextTokenizer {
  public:
    TextTokenizer(const WordPiece::Tables& tables, bool with_offsets, bool with_word_ids, Isa isa)
        : tables_(tables), with_offsets_(with_offsets), with_word_ids_(with_word_ids), isa_(isa) {}

    // Stops somewhere behind the first `enough` tokens.
    void tokenize(const TextView& text, std::size_t enough, TokenSequence& made);

  private:
    void add_text(const std::uint8_t* text, std::size_t size, std::size_t enough, TokenSequence& made);
    void add_normalized(std::size_t enough, TokenSequence& made);
    void add_words(std::size_t begin, std::size_t end, std::size_t enough, TokenSequence& made);
    std::size_t find_subwords(const std::uint8_t* word, std::size_t size, std::int32_t* ids,
                              std::uint32_t* ends) const;
    void add_word(std::size_t begin, std::size_t end, TokenSequence& made);
    void add_added_token(const TextPiece& piece, const std::uint8_t* text, std::size_t begin, std::size_t end,
                         TokenSequence& made);
    void add_token(std::int32_t id, std::size_t begin, std::size_t end, TokenSequence& made);

    const WordPiece::Tables& tables_;
    bool with_offsets_;
    bool with_word_ids_;
    Isa isa_;

    NormalizedText normalized_;
    std::vector<TextPiece> raw_pieces_;
    std::vector<TextPiece> normalized_pieces_;
    Scratch<std::uint32_t> subword_ends_;
    std::size_t characters_before_ =
        0;  // of the text, before the part at hand; known only if offsets are wanted
    std::int32_t word_count_ = 0;
};

}  // namespace tundish
