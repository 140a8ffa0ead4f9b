// What each code point becomes under one set of normalisation rules, when nothing around it matters.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace tundish {

// BERT's normaliser, as BertNormalizer of `tokenizers` has it.
struct NormalizationRules {
    bool clean_text;     // removes control characters, makes a blank of all whitespace
    bool split_chinese;  // makes a word of each CJK ideograph
    bool strip_accents;  // decomposes and removes nonspacing marks
    bool lowercase;
};

// What to do with a character of the text.
enum class Action : std::uint8_t {
    keep,     // it stays, within a word
    blank,    // whitespace: a blank
    drop,     // nothing is left of it
    mark,     // it stays, as a word of its own
    isolate,  // the same, with a blank at either side
    replace,  // with the characters of the pool
    hangul,   // a syllable, to be decomposed by arithmetic
    reorder,  // canonical ordering may move what is left of it: only a look at its neighbours tells
};

// A character of the normalised text: how it divides words (keep, blank or mark), and its UTF-8.
struct NormalizedCharacter {
    Action action;
    std::uint8_t size;
    std::uint8_t bytes[4];
};

class CodePointMap {
  public:
    explicit CodePointMap(const NormalizationRules& rules);

    struct Entry {
        Action action;
        std::uint8_t count;   // of characters in the pool
        std::uint16_t first;  // where they start in the pool
    };

    Entry find(std::uint32_t code) const { return entries_[blocks_[code / kBlock] * kBlock + code % kBlock]; }
    const NormalizedCharacter* pool(const Entry& entry) const { return pool_.data() + entry.first; }

  private:
    Entry make_entry(std::uint32_t code);

    static constexpr std::uint32_t kBlock = 128;

    NormalizationRules rules_;
    std::vector<std::uint16_t> blocks_;
    std::vector<Entry> entries_;
    std::vector<NormalizedCharacter> pool_;
};

// A character in its final form, divided as the pre-tokeniser does.
NormalizedCharacter final_character(std::uint32_t code);

}  // namespace tundish
