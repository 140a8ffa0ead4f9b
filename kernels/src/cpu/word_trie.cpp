// Builds the flat trie: children are placed at the first offset at which all of them are free.
#include "word_trie.h"

#include <algorithm>
#include <string_view>

#include "arguments.h"

namespace tundish {
namespace {

constexpr std::uint32_t kUnused = 0xFF;
constexpr std::uint32_t kEnds = 0x100;
constexpr std::uint32_t kMaximumUnits = std::uint32_t{1} << 23;

// A vocabulary with crowded units would be searched for a long time for a place that a new block has anyway.
constexpr int kMaximumTrials = 256;

std::uint32_t walk(const std::vector<std::uint32_t>& units, std::uint32_t unit, std::string_view text) {
    for (const char letter : text) {
        const auto byte = static_cast<std::uint8_t>(letter);
        unit = (units[unit] >> 9) ^ byte;
        if ((units[unit] & 0xFF) != byte) {
            return 0;
        }
    }
    return unit;
}

}  // namespace

WordTrieStorage::WordTrieStorage(std::vector<Entry> vocabulary, const std::string& prefix) {
    const auto bytes = [](const Entry& entry) { return std::string_view(entry.first); };  // compares unsigned
    std::sort(vocabulary.begin(), vocabulary.end(),
              [&](const Entry& left, const Entry& right) { return bytes(left) < bytes(right); });
    units_.assign(kBlock, kUnused);
    ids_.assign(kBlock, 0);
    next_free_.assign(kBlock, 0);  // unit 0, never free itself, is where the ring begins and ends
    previous_free_.assign(kBlock, 0);
    offset_taken_.assign(kBlock, true);
    grow();
    take(kFirst);
    add_children(kFirst, vocabulary.data(), vocabulary.data() + vocabulary.size(), 0);
    continuation_ = walk(units_, kFirst, prefix);
    next_free_ = {};
    previous_free_ = {};
    offset_taken_ = {};
}

void WordTrieStorage::add_children(std::uint32_t unit, const Entry* begin, const Entry* end,
                                   std::size_t depth) {
    if (begin != end && begin->first.size() == depth) {
        units_[unit] |= kEnds;
        ids_[unit] = begin->second;
        ++begin;
    }
    if (begin == end) {
        return;
    }
    const auto label = [depth](const Entry& entry) { return static_cast<std::uint8_t>(entry.first[depth]); };
    std::vector<std::uint8_t> labels;
    for (const Entry* entry = begin; entry != end; ++entry) {
        if (labels.empty() || labels.back() != label(*entry)) {
            labels.push_back(label(*entry));
        }
    }
    const std::uint32_t offset = find_offset(labels);
    offset_taken_[offset] = true;
    units_[unit] |= offset << 9;
    for (const std::uint8_t byte : labels) {
        take(offset ^ byte);
        units_[offset ^ byte] = byte;
    }
    for (const std::uint8_t byte : labels) {
        const Entry* const last =
            std::find_if(begin, end, [&](const Entry& entry) { return label(entry) != byte; });
        add_children(offset ^ byte, begin, last, depth + 1);
        begin = last;
    }
}

std::uint32_t WordTrieStorage::find_offset(const std::vector<std::uint8_t>& labels) {
    int trials = 0;
    for (std::uint32_t unit = next_free_[0]; unit != 0 && trials < kMaximumTrials;
         unit = next_free_[unit], ++trials) {
        const std::uint32_t offset = unit ^ labels[0];
        const auto is_free = [&](std::uint8_t byte) { return next_free_[offset ^ byte] != (offset ^ byte); };
        if (!offset_taken_[offset] && std::all_of(labels.begin(), labels.end(), is_free)) {
            return offset;
        }
    }
    grow();
    return static_cast<std::uint32_t>(units_.size()) - kBlock;
}

void WordTrieStorage::grow() {
    const auto begin = static_cast<std::uint32_t>(units_.size());
    if (begin + kBlock > kMaximumUnits) {
        reject("the vocabulary must fit in a trie of 8 million units", "more");
    }
    units_.resize(begin + kBlock, kUnused);
    ids_.resize(begin + kBlock, 0);
    offset_taken_.resize(begin + kBlock, false);
    next_free_.resize(begin + kBlock);
    previous_free_.resize(begin + kBlock);
    // New units come first in the ring: older blocks are crowded.
    for (std::uint32_t unit = begin + kBlock; unit-- > begin;) {
        next_free_[unit] = next_free_[0];
        previous_free_[unit] = 0;
        previous_free_[next_free_[0]] = unit;
        next_free_[0] = unit;
    }
}

// A unit that is not free is its own neighbour.
void WordTrieStorage::take(std::uint32_t unit) {
    next_free_[previous_free_[unit]] = next_free_[unit];
    previous_free_[next_free_[unit]] = previous_free_[unit];
    next_free_[unit] = unit;
    previous_free_[unit] = unit;
}

}  // namespace tundish
