// Finds added tokens in a text, as `tokenizers` does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tundish/wordpiece.h"
#include "word_trie.h"

namespace tundish {

// A part of a text: an added token, or what lies between (id -1). The token itself may be less than the part,
// which takes in the whitespace that the token strips.
struct TextPiece {
    std::size_t begin;
    std::size_t end;
    std::int32_t id;
    std::size_t token_begin;
    std::size_t token_end;
};

class AddedTokenFinder {
  public:
    // `patterns` are what to look for, one a token. Throws std::invalid_argument if one is empty, twice
    // there, or begins or ends in whitespace.
    AddedTokenFinder(std::vector<AddedToken> tokens, const std::vector<std::string>& patterns);

    bool empty() const { return tokens_.empty(); }

    // Replaces the content of `pieces` by the parts of `text`, in order, none of them empty.
    void split(const std::uint8_t* text, std::size_t size, std::vector<TextPiece>& pieces) const;

  private:
    const std::uint8_t* find_first_byte(const std::uint8_t* text, const std::uint8_t* end) const;
    bool stands_alone(const std::uint8_t* text, const TextPiece& match, std::size_t size) const;

    std::vector<AddedToken> tokens_;
    WordTrieStorage patterns_;
    std::vector<std::uint8_t> first_bytes_;
    bool begins_a_token_[256] = {};
};

}  // namespace tundish
