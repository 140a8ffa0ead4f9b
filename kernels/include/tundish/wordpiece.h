// Texts to token ids by a WordPiece vocabulary, as BERT and its kin do, on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tundish/isa.h"

namespace tundish {

// A longer text is refused, so that every place in it fits in 32 bits.
constexpr std::size_t kMaximumTextBytes = (std::size_t{1} << 30) - 1;

// The most characters that `maximum_word_characters` may allow a word.
constexpr std::int64_t kMaximumWordCharacters = 1000;

// A token that is found in the text as it stands, before the text is split into words.
struct AddedToken {
    std::string content;
    std::int32_t id;
    bool single_word;  // only where no letter, digit or the like is beside it
    bool strip_left;   // takes the whitespace before it, too
    bool strip_right;
    bool normalized;  // sought, normalised itself, in the normalised text
};

// What a result is put together from: a text, or a special token.
struct TemplatePiece {
    enum class Kind { first, second, special } kind;
    std::int32_t id;  // of the special token
    std::int32_t type_id;
};

struct WordPieceSettings {
    // Subwords with their ids, which are not negative. Those that continue a word begin with
    // `continuing_prefix`.
    std::vector<std::pair<std::string, std::int32_t>> vocabulary;
    std::string unknown_token;
    std::string continuing_prefix;
    std::int64_t maximum_word_characters;  // a longer word is the unknown token, whatever it consists of

    bool clean_text;
    bool split_chinese;
    bool strip_accents;
    bool lowercase;

    std::vector<AddedToken> added_tokens;
    bool trim_offsets;                  // an added token's offsets leave out the whitespace that it strips
    std::vector<TemplatePiece> single;  // has the first text once
    std::vector<TemplatePiece> pair;    // has each text once
};

// A tokenizer: its tables are built once and only read from then on, by any number of threads.
class WordPiece {
  public:
    // Throws std::invalid_argument for what it cannot do as `tokenizers` does: an unknown token or an added
    // token with a wrong id, added tokens that are empty, the same, or begin or end in whitespace, a negative
    // id, text that is not UTF-8, a template without its texts.
    explicit WordPiece(WordPieceSettings settings);
    ~WordPiece();
    WordPiece(WordPiece&&) noexcept;
    WordPiece& operator=(WordPiece&&) noexcept;

    struct Tables;
    const Tables& tables() const { return *tables_; }

  private:
    std::unique_ptr<const Tables> tables_;
};

// UTF-8 that the caller owns.
struct TextView {
    const char* data;
    std::size_t size;
};

struct WordPieceOptions {
    enum class Strategy { longest_first, only_first, only_second };

    bool add_special_tokens = true;
    std::int64_t maximum_tokens = -1;  // special tokens included; -1 for any number
    Strategy strategy = Strategy::longest_first;
    bool truncate_left = false;
};

// Parses "longest_first", "only_first" or "only_second"; throws std::invalid_argument for anything else.
WordPieceOptions::Strategy parse_strategy(const std::string& name);

// Ragged arrays that the caller owns: the tokens of text i are those from starts[i] up to starts[i + 1].
struct TokenDestination {
    std::int32_t* ids;       // [capacity]
    std::int32_t* type_ids;  // [capacity]
    std::int32_t* offsets;   // [capacity, 2] characters of the text, the second behind the token; or null
    std::int32_t*
        word_ids;  // [capacity] which word of its text a token is of, -1 for special tokens; or null
    std::size_t capacity;
    std::int64_t* starts;     // [count + 1]
    std::uint8_t* truncated;  // [count] whether tokens were left out: 0 or 1
};

// The most tokens that the texts can give; what `capacity` must be at least. `pairs` is null or as long as
// `texts`.
std::size_t wordpiece_capacity(const WordPiece& tokenizer, const TextView* texts, const TextView* pairs,
                               std::size_t count, const WordPieceOptions& options);

// Tokenizes `count` texts, or pairs of texts if `pairs` is not null. Ids, type ids, offsets and word ids
// equal those of Hugging Face's `tokenizers` 0.22 with BertNormalizer, BertPreTokenizer and WordPiece,
// truncation included; `truncated` is whether its encoding has overflowing parts. A text that only its first
// tokens are wanted of is not read to its end.
//
// Blocks, on the calling thread alone; safe to call from many threads with one tokenizer. Borrows all
// arguments for the call. Scratch memory is freed before the return: some 30 KiB and 20 bytes a token of the
// longest text; for text without blanks, or with normalised added tokens, 30 bytes a byte.
//
// Throws std::invalid_argument before anything is written: a null pointer, a text that is too long or not
// UTF-8 (its index is named), a `maximum_tokens` below the template's special tokens, a capacity that is too
// small, arrays that overlap, an instruction set that is not available. Also throws it, and leaves the
// destination half written, if only_first or only_second cannot shorten a text enough. Throws std::bad_alloc.
void wordpiece_into(const TokenDestination& destination, const WordPiece& tokenizer, const TextView* texts,
                    const TextView* pairs, std::size_t count, const WordPieceOptions& options,
                    Isa isa = selected_isa());

}  // namespace tundish
