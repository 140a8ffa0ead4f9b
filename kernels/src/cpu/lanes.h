// Sixteen 32-bit sums of weighted pixels, in the registers of the instruction set this file is compiled for.
//
// Only widening, multiplying and narrowing are spelt out, because compilers take detours there; the
// baseline's loops vectorise by themselves. Wrapping cannot occur: the weights of every filter, in
// absolute value, sum to less than two.
#pragma once

#include <cstdint>

#include "tundish/pixel.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(TUNDISH_NEON)
#include <arm_neon.h>
#endif

namespace tundish {
namespace TUNDISH_ISA {

#if defined(__AVX512BW__)

class Lanes {
  public:
    void add_product(const std::uint8_t* pixels, std::int32_t coefficient) {
        const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(pixels)));
        sums_ = _mm512_add_epi32(sums_, _mm512_mullo_epi32(wide, _mm512_set1_epi32(coefficient)));
    }

    void store_pixels(std::uint8_t* output) const {
        const __m512i values =
            _mm512_max_epi32(_mm512_srai_epi32(sums_, kCoefficientBits), _mm512_setzero_si512());
        _mm_storeu_si128(reinterpret_cast<__m128i*>(output), _mm512_cvtusepi32_epi8(values));
    }

  private:
    __m512i sums_ = _mm512_set1_epi32(kRoundingHalf);
};

#elif defined(__AVX2__)

class Lanes {
  public:
    void add_product(const std::uint8_t* pixels, std::int32_t coefficient) {
        const __m256i factor = _mm256_set1_epi32(coefficient);
        low_ = _mm256_add_epi32(low_, _mm256_mullo_epi32(widen(pixels), factor));
        high_ = _mm256_add_epi32(high_, _mm256_mullo_epi32(widen(pixels + 8), factor));
    }

    void store_pixels(std::uint8_t* output) const {
        // Both packs saturate, which is the clipping; each works within 128-bit halves, hence the
        // permutation.
        const __m256i words = _mm256_packs_epi32(_mm256_srai_epi32(low_, kCoefficientBits),
                                                 _mm256_srai_epi32(high_, kCoefficientBits));
        const __m256i ordered = _mm256_permute4x64_epi64(words, 0xD8);
        const __m128i bytes =
            _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(output), bytes);
    }

  private:
    static __m256i widen(const std::uint8_t* pixels) {
        return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(pixels)));
    }

    __m256i low_ = _mm256_set1_epi32(kRoundingHalf);
    __m256i high_ = _mm256_set1_epi32(kRoundingHalf);
};

#elif defined(TUNDISH_NEON)

class Lanes {
  public:
    void add_product(const std::uint8_t* pixels, std::int32_t coefficient) {
        const uint8x16_t bytes = vld1q_u8(pixels);
        const uint16x8_t low = vmovl_u8(vget_low_u8(bytes));
        const uint16x8_t high = vmovl_high_u8(bytes);
        add(0, vmovl_u16(vget_low_u16(low)), coefficient);
        add(1, vmovl_high_u16(low), coefficient);
        add(2, vmovl_u16(vget_low_u16(high)), coefficient);
        add(3, vmovl_high_u16(high), coefficient);
    }

    void store_pixels(std::uint8_t* output) const {
        // Narrowing saturates, which is the clipping; it shifts by 16 at most.
        const uint16x8_t low = vqshrun_high_n_s32(vqshrun_n_s32(sums_[0], 16), sums_[1], 16);
        const uint16x8_t high = vqshrun_high_n_s32(vqshrun_n_s32(sums_[2], 16), sums_[3], 16);
        vst1q_u8(output,
                 vqshrn_high_n_u16(vqshrn_n_u16(low, kCoefficientBits - 16), high, kCoefficientBits - 16));
    }

  private:
    void add(int part, uint32x4_t pixels, std::int32_t coefficient) {
        sums_[part] = vmlaq_n_s32(sums_[part], vreinterpretq_s32_u32(pixels), coefficient);
    }

    int32x4_t sums_[4] = {vdupq_n_s32(kRoundingHalf), vdupq_n_s32(kRoundingHalf), vdupq_n_s32(kRoundingHalf),
                          vdupq_n_s32(kRoundingHalf)};
};

#else

class Lanes {
  public:
    Lanes() {
        for (std::int32_t& sum : sums_) {
            sum = kRoundingHalf;
        }
    }

    void add_product(const std::uint8_t* pixels, std::int32_t coefficient) {
        for (int i = 0; i < 16; ++i) {
            sums_[i] += coefficient * pixels[i];
        }
    }

    void store_pixels(std::uint8_t* output) const {
        for (int i = 0; i < 16; ++i) {
            output[i] = round_to_pixel(sums_[i]);
        }
    }

  private:
    std::int32_t sums_[16];
};

#endif

}  // namespace TUNDISH_ISA
}  // namespace tundish
