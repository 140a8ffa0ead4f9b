// Sums of weighted pixels in 16 bits, where weights are multiples of 2^-kShortBits: those of halving, of
// quartering and of doubling. They equal the sums in 32 bits of lanes.h, which take three times as long.
#pragma once

#include <cstddef>
#include <cstdint>

#include "row_kernels.h"
#include "wide.h"

namespace tundish {
namespace TUNDISH_ISA {

#if defined(__AVX2__)

class ShortLanes {
  public:
    static constexpr std::size_t kBytes = Wide::kBytes;

    // Adds first[i] × the low byte of `weights` + second[i] × the high byte.
    void add_products(const std::uint8_t* first, const std::uint8_t* second, std::uint16_t weights) {
        const Wide::Type factors = Wide::set16(weights);
        const Wide::Type a = Wide::load(first);
        const Wide::Type b = Wide::load(second);
        low_ = Wide::add16(low_, Wide::madd8(Wide::low8(a, b), factors));
        high_ = Wide::add16(high_, Wide::madd8(Wide::high8(a, b), factors));
    }

    void store_pixels(std::uint8_t* output) const {
        Wide::store(Wide::packus16(Wide::shr16<kShortBits>(low_), Wide::shr16<kShortBits>(high_)), output);
    }

  private:
    Wide::Type low_ = Wide::set16(1 << (kShortBits - 1));  // so that dropping the fraction rounds half up
    Wide::Type high_ = low_;
};

#elif defined(TUNDISH_NEON)

class ShortLanes {
  public:
    static constexpr std::size_t kBytes = 16;

    void add_products(const std::uint8_t* first, const std::uint8_t* second, std::uint16_t weights) {
        add_product(vld1q_u8(first), static_cast<std::uint8_t>(weights));
        add_product(vld1q_u8(second), static_cast<std::uint8_t>(weights >> 8));
    }

    void store_pixels(std::uint8_t* output) const {
        vst1q_u8(output, vshrn_high_n_u16(vshrn_n_u16(low_, kShortBits), high_, kShortBits));
    }

  private:
    void add_product(uint8x16_t pixels, std::uint8_t weight) {
        low_ = vmlal_u8(low_, vget_low_u8(pixels), vdup_n_u8(weight));
        high_ = vmlal_high_u8(high_, pixels, vdupq_n_u8(weight));
    }

    uint16x8_t low_ = vdupq_n_u16(1 << (kShortBits - 1));
    uint16x8_t high_ = low_;
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
