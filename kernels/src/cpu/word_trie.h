// Builds the flat trie of a vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tundish/word_trie.h"

namespace tundish {

// Owns the arrays of a WordTrie.
class WordTrieStorage {
  public:
    // `vocabulary` is pairs of a subword (valid UTF-8, not empty) and its id, no subword twice; those that
    // continue a word begin with `prefix`, which may be empty. Throws std::invalid_argument if there are too
    // many for 23 bits of offset.
    WordTrieStorage(std::vector<std::pair<std::string, std::int32_t>> vocabulary, const std::string& prefix);

    WordTrie view() const { return {units_.data(), ids_.data(), kFirst, continuation_}; }

    // The number of units; no walk leads beyond them.
    std::size_t size() const { return units_.size(); }

  private:
    using Entry = std::pair<std::string, std::int32_t>;

    void add_children(std::uint32_t unit, const Entry* begin, const Entry* end, std::size_t depth);
    std::uint32_t find_offset(const std::vector<std::uint8_t>& labels);
    void grow();
    void take(std::uint32_t unit);

    static constexpr std::uint32_t kBlock = 256;
    static constexpr std::uint32_t kFirst = kBlock;

    std::vector<std::uint32_t> units_;
    std::vector<std::int32_t> ids_;
    std::uint32_t continuation_ = 0;

    // Of building only: a ring of the units that are free, and the offsets that are taken.
    std::vector<std::uint32_t> next_free_;
    std::vector<std::uint32_t> previous_free_;
    std::vector<bool> offset_taken_;
};

}  // namespace tundish
