// BERT's normaliser and pre-tokeniser in one pass: a text becomes normalised text and the places of its
// words.
#pragma once

#include <cstddef>
#include <cstdint>

#include "code_point_map.h"
#include "scratch.h"
#include "tundish/isa.h"

namespace tundish {

// Each piece of a text adds at most three bytes, and at most one character that is no blank, for each of its
// own.
constexpr std::size_t kMaximumGrowth = 3;

// What a text becomes; reused from one to the next.
struct NormalizedText {
    Scratch<std::uint8_t> bytes;
    std::size_t size = 0;

    // Words in ascending order, apart from each other, as ranges of bytes.
    Scratch<std::uint32_t> begins;
    Scratch<std::uint32_t> ends;
    std::size_t words = 0;

    // The character of the text that each byte stems from, counted from the text's first; not there if each
    // stems from the one at its own place.
    Scratch<std::uint32_t> origins;
    bool has_origins = false;

    std::uint32_t origin(std::size_t byte) const {
        return has_origins ? origins.data()[byte] : static_cast<std::uint32_t>(byte);
    }
};

class BertNormalizer {
  public:
    explicit BertNormalizer(const NormalizationRules& rules);

    const NormalizationRules& rules() const { return rules_; }

    // `text` is valid UTF-8 of less than 2^30 bytes. Origins are found only if wanted; they may be there if
    // not.
    void normalize(const std::uint8_t* text, std::size_t size, bool with_origins, Isa isa,
                   NormalizedText& made) const;

    // The same by the normaliser's definition, step by step over the whole text; what `normalize` resorts to
    // where canonical ordering may move something.
    void normalize_by_steps(const std::uint8_t* text, std::size_t size, bool with_origins,
                            NormalizedText& made) const;

  private:
    bool normalize_characters(const std::uint8_t* text, std::size_t size, bool with_origins,
                              NormalizedText& made) const;

    NormalizationRules rules_;
    CodePointMap map_;
    // Of ASCII, where each byte becomes one or none.
    std::uint8_t ascii_byte_[128];
    Action ascii_action_[128];
};

}  // namespace tundish
