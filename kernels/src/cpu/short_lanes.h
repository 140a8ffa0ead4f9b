// Sums of weighted pixels in 16 bits, where weights are multiples of 2^-kShortBits: those of halving, of
// quartering and of doubling. They equal the sums in 32 bits of lanes.h, which take three times as long.
#pragma once

#include <cstddef>
#include <cstdint>

#include "row_kernels.h"
#include "wide.h"

namespace tundish {
namespace TUNDISH_ISA {

#if defined(TUNDISH_WIDE)

class ShortLanes {
  public:
    static constexpr std::size_t kBytes = Wide::kBytes;

    // Adds first[i] × the low byte of `weights` + second[i] × the high byte.
    void add_products(const std::uint8_t* first, const std::uint8_t* second, std::uint16_t weights) {
        Wide::add_weighted8(sums_, Wide::load(first), Wide::load(second), weights);
    }

    void store_pixels(std::uint8_t* output) const {
        Wide::store(Wide::packus16(Wide::shr16<kShortBits>(sums_.low), Wide::shr16<kShortBits>(sums_.high)),
                    output);
    }

  private:
    // So that dropping the fraction rounds half up.
    Wide::Products sums_{Wide::set16(1 << (kShortBits - 1)), Wide::set16(1 << (kShortBits - 1))};
};

#else

class ShortLanes {
  public:
    static constexpr std::size_t kBytes = 16;

    ShortLanes() {
        for (std::uint16_t& sum : sums_) {
            sum = 1 << (kShortBits - 1);
        }
    }

    void add_products(const std::uint8_t* first, const std::uint8_t* second, std::uint16_t weights) {
        const auto first_weight = static_cast<std::uint16_t>(weights & 0xFF);
        const auto second_weight = static_cast<std::uint16_t>(weights >> 8);
        for (std::size_t i = 0; i < kBytes; ++i) {
            sums_[i] =
                static_cast<std::uint16_t>(sums_[i] + first[i] * first_weight + second[i] * second_weight);
        }
    }

    void store_pixels(std::uint8_t* output) const {
        for (std::size_t i = 0; i < kBytes; ++i) {
            output[i] = static_cast<std::uint8_t>(sums_[i] >> kShortBits);
        }
    }

  private:
    std::uint16_t sums_[kBytes];
};

#endif

}  // namespace TUNDISH_ISA
}  // namespace tundish
