// What becomes of sums that tiles gave: as ConvSums rounds those in registers, 64 at once.
#pragma once

#if defined(__AMX_INT8__)

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "conv_layout.h"
#include "patch_tiles.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

// Of blocks of so many channels: of one position at once, of two or of four.
template <std::size_t kChannels>
class TileRounding {
  public:
    explicit TileRounding(const ConvRounding& rounding)
        : all_(rounding.valid == kChannels),
          valid_(_cvtu64_mask64(all_ ? ~0ULL : (1ULL << rounding.valid) - 1)),
          has_zero_(rounding.zero != 0),
          zero_(_mm512_set1_epi16(rounding.zero)) {
        for (std::size_t i = 0; i < 4; ++i) {
            const std::size_t place = i * kTileChannels % kChannels;
            biases_[i] = _mm512_loadu_si512(rounding.biases + place);
            scales_[i] = _mm512_loadu_ps(rounding.scales + place);
        }
    }

    void round(const std::int32_t* sums, std::size_t positions, std::uint8_t* output,
               std::size_t step) const {
        constexpr std::size_t kTogether = 64 / kChannels;
        for (std::size_t first = 0; first < positions; first += kTogether) {
            const __m512i bytes = rounded(sums + first * kChannels);
            std::uint8_t* const to = output + first * step;
            if constexpr (kChannels == 64) {
                store(bytes, to);
            } else if constexpr (kChannels == 32) {
                store(_mm512_castsi512_si256(bytes), to);
                if (first + 1 < positions) {
                    store(_mm512_extracti64x4_epi64(bytes, 1), to + step);
                }
            } else {
                store(_mm512_castsi512_si128(bytes), to);
                if (first + 1 < positions) {
                    store(_mm512_extracti32x4_epi32(bytes, 1), to + step);
                }
                if (first + 2 < positions) {
                    store(_mm512_extracti32x4_epi32(bytes, 2), to + 2 * step);
                }
                if (first + 3 < positions) {
                    store(_mm512_extracti32x4_epi32(bytes, 3), to + 3 * step);
                }
            }
        }
    }

  private:
    __m512i rounded(const std::int32_t* sums) const {
        const auto whole = [&](std::size_t i) {
            const __m512i sum = _mm512_add_epi32(_mm512_loadu_si512(sums + 16 * i), biases_[i]);
            return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), scales_[i]));
        };
        __m512i low = _mm512_packs_epi32(whole(0), whole(1)), high = _mm512_packs_epi32(whole(2), whole(3));
        if (has_zero_) {
            low = _mm512_adds_epi16(low, zero_);
            high = _mm512_adds_epi16(high, zero_);
        }
        const __m512i bytes = _mm512_packus_epi16(low, high);
        // Packs work within lanes: each has four bytes of each of the four registers.
        if constexpr (kChannels == 64) {
            return bytes;  // as channels stand among their places
        } else if constexpr (kChannels == 32) {
            return _mm512_permutexvar_epi32(
                _mm512_setr_epi32(0, 8, 1, 9, 4, 12, 5, 13, 2, 10, 3, 11, 6, 14, 7, 15), bytes);
        } else {
            return _mm512_permutexvar_epi32(
                _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), bytes);
        }
    }

    void store(__m512i bytes, std::uint8_t* to) const {
        all_ ? _mm512_storeu_si512(to, bytes) : _mm512_mask_storeu_epi8(to, valid_, bytes);
    }
    void store(__m256i bytes, std::uint8_t* to) const {
        all_ ? _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bytes)
             : _mm256_mask_storeu_epi8(to, static_cast<__mmask32>(valid_), bytes);
    }
    void store(__m128i bytes, std::uint8_t* to) const {
        all_ ? _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes)
             : _mm_mask_storeu_epi8(to, static_cast<__mmask16>(valid_), bytes);
    }

    bool all_;
    __mmask64 valid_;
    bool has_zero_;
    __m512i zero_;
    __m512i biases_[4];
    __m512 scales_[4];
};

}  // namespace
}  // namespace TUNDISH_ISA
}  // namespace tundish

#endif
