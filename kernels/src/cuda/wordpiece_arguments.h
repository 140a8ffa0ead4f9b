// What the host tells the GPU of a call of wordpiece; read by both compilers.
#pragma once

#include <cstdint>

#include "padded_batch.h"
#include "tundish/word_trie.h"

namespace tundish::cuda {

// What a row is put together from: the tokens of text 0 or 1, or, where `text` is -1, the special token `id`.
struct TemplateToken {
    std::int32_t text;
    std::int32_t id;
    std::int32_t type_id;
};

// A tokenizer's tables in the GPU's memory.
struct TokenizerTables {
    WordTrie trie;
    const TemplateToken* single;
    std::int32_t single_size;
    const TemplateToken* pair;
    std::int32_t pair_size;
};

// One text. Its tokens lie in the workspace, the token of number n at tokens[n % capacity]: the first ones or
// the last ones, as the row is truncated.
struct TextTask {
    const std::uint8_t* bytes;  // ASCII for the GPU to tokenize
    std::int32_t* tokens;
    std::int32_t size;      // in bytes
    std::int32_t capacity;  // tokens that there is memory for; as many as bytes are enough
    std::int32_t count;     // of all tokens, if the CPU has found them; -1 if the GPU is to
};

// The kernel's argument; there are as many rows as blocks, each of `texts_of_row` tasks, 1 or 2. `room` and
// `enough` are those of a TokenPlan.
struct WordPieceArguments {
    PaddedBatch batch;
    std::int32_t* lengths;
    std::uint8_t* truncated;

    const TextTask* texts;
    std::int32_t texts_of_row;
    const TemplateToken* pieces;
    std::int32_t piece_count;
    bool add_special_tokens;
    std::int64_t special;
    std::uint64_t room;
    std::uint64_t enough;
    bool truncate_left;
    std::int32_t pad_id;
    std::int32_t pad_type_id;
    bool pad_left;

    WordTrie trie;
    std::int32_t unknown_id;
    std::int32_t maximum_word_characters;
    bool lowercase;
    bool clean_text;
};

// Threads of a block, which takes one row.
constexpr int kWordPieceThreads = 256;

// The most characters that a word may be allowed; the CPU form's limit.
constexpr int kLongestWord = 1000;

}  // namespace tundish::cuda
