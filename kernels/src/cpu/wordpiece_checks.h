// What the forms of wordpiece on every device check and work out before they look at a text's words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tundish/wordpiece.h"

namespace tundish {

// Rejects a text without memory or that is too long; `name` and `index` are what the caller knows it by.
void check_text_memory(const TextView& text, const char* name, std::size_t index);

// Rejects a text that is not UTF-8.
void check_utf8(const TextView& text, const char* name, std::size_t index);

// What applies to each text of a call.
struct TokenPlan {
    const std::vector<TemplatePiece>* pieces;
    std::uint64_t special;  // tokens that the template adds
    std::uint64_t room;     // for tokens of the texts, or kAllTokens
    std::uint64_t enough;   // tokens of a text that tell what becomes of it, or kAllTokens
    bool is_pair;
};

constexpr std::uint64_t kAllTokens = ~std::uint64_t{0};

// Throws std::invalid_argument if `maximum_tokens` is less than the template's special tokens.
TokenPlan plan_tokens(const WordPiece& tokenizer, bool is_pair, const WordPieceOptions& options);

}  // namespace tundish
