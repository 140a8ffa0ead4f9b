// Whole words of up to eight bytes, found by one look into memory: most of the words of most texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace tundish {

// Spares a walk through the trie; a word that is not here may well be in the vocabulary. Of words that claim
// one slot that with the lowest id has it, because vocabularies begin with what is frequent.
class ShortWords {
  public:
    static constexpr std::size_t kLongest = 8;

    explicit ShortWords(const std::vector<std::pair<std::string, std::int32_t>>& vocabulary)
        : slots_(kSlots) {
        for (const auto& [word, id] : vocabulary) {
            if (word.empty() || word.size() > kLongest) {
                continue;
            }
            char padded[kLongest] = {};
            word.copy(padded, kLongest);
            std::uint64_t letters;
            std::memcpy(&letters, padded, kLongest);
            Slot& slot = slots_[slot_of(letters)];
            if (slot.size == 0 || id < slot.id) {
                slot = {letters, id, static_cast<std::uint32_t>(word.size())};
            }
        }
    }

    // The id of the word, or -1. `size` is 1 to kLongest, and kLongest bytes can be read whatever it is.
    std::int32_t find(const std::uint8_t* word, std::size_t size) const {
        static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first bytes are the lowest");
        std::uint64_t letters;
        std::memcpy(&letters, word, kLongest);
        letters &= ~std::uint64_t{0} >> (8 * (kLongest - size));
        const Slot& slot = slots_[slot_of(letters)];
        return slot.letters == letters && slot.size == size ? slot.id : -1;
    }

  private:
    struct Slot {
        std::uint64_t letters = 0;
        std::int32_t id = 0;
        std::uint32_t size =
            0;  // tells a word from the same one with a zero byte behind it; 0 where nothing is
    };

    static constexpr int kSlotBits = 15;
    static constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;

    static std::size_t slot_of(std::uint64_t letters) {
        return static_cast<std::size_t>((letters ^ letters >> 29) * 0x9E3779B97F4A7C15U >> (64 - kSlotBits));
    }

    std::vector<Slot> slots_;
};

}  // namespace tundish
