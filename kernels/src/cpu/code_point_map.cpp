// Composes the steps of the normaliser for each code point.
#include "code_point_map.h"

#include <map>

#include "unicode.h"

namespace tundish {

NormalizedCharacter final_character(std::uint32_t code) {
    const std::uint8_t flags = code_point_properties(code);
    NormalizedCharacter made{Action::keep, 0, {}};
    if ((flags & kWhitespace) != 0) {
        made.action = Action::blank;
    } else if ((flags & kPunctuation) != 0) {
        made.action = Action::mark;
    }
    made.size = static_cast<std::uint8_t>(encode_utf8(code, made.bytes));
    return made;
}

CodePointMap::CodePointMap(const NormalizationRules& rules) : rules_(rules), blocks_(kCodePoints / kBlock) {
    std::map<Action, std::uint16_t> uniform;
    for (std::uint32_t block = 0; block < blocks_.size(); ++block) {
        const std::uint32_t first = block * kBlock;
        const auto made = static_cast<std::uint16_t>(entries_.size() / kBlock);
        if (is_uniform(first, kBlock)) {
            const Entry entry = make_entry(first);
            const auto [found, is_new] = uniform.emplace(entry.action, made);
            blocks_[block] = found->second;
            if (is_new) {
                entries_.insert(entries_.end(), kBlock, entry);
            }
            continue;
        }
        blocks_[block] = made;
        for (std::uint32_t code = first; code < first + kBlock; ++code) {
            entries_.push_back(make_entry(code));
        }
    }
}

CodePointMap::Entry CodePointMap::make_entry(std::uint32_t code) {
    const std::uint8_t flags = code_point_properties(code);
    if (rules_.clean_text && (flags & kRemoved) != 0) {
        return {Action::drop, 0, 0};
    }
    if (rules_.clean_text && (flags & kWhitespace) != 0) {
        return {Action::blank, 0, 0};
    }
    const bool isolated = rules_.split_chinese && is_chinese(code);
    if (rules_.strip_accents && kFirstHangul <= code && code <= kLastHangul) {
        return {Action::hangul, 0, 0};
    }

    std::uint32_t parts[4] = {code};
    const std::size_t part_count = rules_.strip_accents ? decompose(code, parts) : 1;
    std::vector<NormalizedCharacter> made;
    bool same = part_count == 1 && parts[0] == code;
    for (std::size_t i = 0; i < part_count; ++i) {
        if (rules_.strip_accents && (code_point_properties(parts[i]) & kMark) != 0) {
            continue;
        }
        if (rules_.strip_accents && combining_class(parts[i]) != 0) {
            return {Action::reorder, 0, 0};
        }
        std::uint32_t lowered[2] = {parts[i]};
        const std::size_t lowered_count = rules_.lowercase ? lowercase(parts[i], lowered) : 1;
        for (std::size_t k = 0; k < lowered_count; ++k) {
            made.push_back(final_character(lowered[k]));
            same = same && lowered[k] == code;
        }
    }
    if (made.empty()) {
        return {Action::drop, 0, 0};
    }
    if (same) {
        return {isolated ? Action::isolate : made[0].action, 0, 0};
    }
    if (isolated) {
        made.insert(made.begin(), final_character(' '));
        made.push_back(final_character(' '));
    }
    const Entry entry{Action::replace, static_cast<std::uint8_t>(made.size()),
                      static_cast<std::uint16_t>(pool_.size())};
    pool_.insert(pool_.end(), made.begin(), made.end());
    return entry;
}

}  // namespace tundish
