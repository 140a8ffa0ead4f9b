// Sixteen pixels of a blended row, each between two neighbours, in the registers of the instruction set that
// includes this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/pixel.h"
#include "wide.h"

#if defined(TUNDISH_WIDE)

namespace tundish {
namespace TUNDISH_ISA {

// interpolate_sixteen makes four registers of four packed pixels each, of three bytes and one that does not
// count, as blend_columns has it: pixels first[i] and first[i] + 1 of `row` by weights[i], see sample_rows.h.

#if defined(TUNDISH_NEON)

inline uint16x4_t interpolate_one(const std::int16_t* row, std::int32_t first, const std::int32_t* weights) {
    const std::int16_t* const left = row + 3 * static_cast<std::ptrdiff_t>(first);
    const int32x2_t both = vld1_dup_s32(weights);
    const int32x4_t sum = vmlal_lane_s16(vmull_lane_s16(vld1_s16(left), vreinterpret_s16_s32(both), 0),
                                         vld1_s16(left + 3), vreinterpret_s16_s32(both), 1);
    return vshrn_n_u32(vreinterpretq_u32_s32(sum), 16);  // a narrowing shift is by 16 at most
}

inline void interpolate_sixteen(const std::int16_t* row, const std::int32_t* first,
                                const std::int32_t* weights, Lane::Type (&fours)[4]) {
    constexpr int kRest = kColumnWeightBits + 7 - 16;
    for (std::size_t k = 0; k < 4; ++k, first += 4, weights += 4) {
        const uint16x8_t low = vcombine_u16(interpolate_one(row, first[0], weights),
                                            interpolate_one(row, first[1], weights + 1));
        const uint16x8_t high = vcombine_u16(interpolate_one(row, first[2], weights + 2),
                                             interpolate_one(row, first[3], weights + 3));
        fours[k] = vshrn_high_n_u16(vshrn_n_u16(low, kRest), high, kRest);
    }
}

#else

// Left and right beside each other, channel by channel, for multiplying and adding pairs.
inline __m128i pair_shuffle() {
    return _mm_setr_epi8(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, -128, -128, -128, -128);
}

inline __m128i load_pixels(const std::int16_t* row, std::int32_t pixel) {
    return Lane::load(row + 3 * static_cast<std::ptrdiff_t>(pixel));
}

#if defined(__AVX512BW__)

// Four packed pixels.
inline __m128i interpolate_four(const std::int16_t* row, const std::int32_t* first,
                                const std::int32_t* weights) {
    const __m512i each_four = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    __m512i values = _mm512_castsi128_si512(load_pixels(row, first[0]));
    values = _mm512_inserti32x4(values, load_pixels(row, first[1]), 1);
    values = _mm512_inserti32x4(values, load_pixels(row, first[2]), 2);
    values = _mm512_inserti32x4(values, load_pixels(row, first[3]), 3);
    const __m512i pairs = _mm512_shuffle_epi8(values, _mm512_broadcast_i32x4(pair_shuffle()));
    const __m512i factors = _mm512_permutexvar_epi32(each_four, _mm512_castsi128_si512(Lane::load(weights)));
    const __m512i sums = _mm512_srli_epi32(_mm512_madd_epi16(pairs, factors), kColumnWeightBits + 7);
    return _mm512_cvtepi32_epi8(sums);
}

inline void interpolate_sixteen(const std::int16_t* row, const std::int32_t* first,
                                const std::int32_t* weights, __m128i (&fours)[4]) {
    for (std::size_t k = 0; k < 4; ++k) {
        fours[k] = interpolate_four(row, first + 4 * k, weights + 4 * k);
    }
}

#else

inline __m256i join(__m128i low, __m128i high) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

// Four packed pixels, and four from the eighth on in the other lane.
inline __m256i interpolate_fours(const std::int16_t* row, const std::int32_t* first,
                                 const std::int32_t* weights) {
    const __m256i shuffle = Wide::broadcast(pair_shuffle());
    const __m256i factors = join(Lane::load(weights), Lane::load(weights + 8));
    const __m256i each[4] = {_mm256_shuffle_epi32(factors, 0x00), _mm256_shuffle_epi32(factors, 0x55),
                             _mm256_shuffle_epi32(factors, 0xAA), _mm256_shuffle_epi32(factors, 0xFF)};
    __m256i sums[4];
    for (int i = 0; i < 4; ++i) {
        const __m256i pixels = join(load_pixels(row, first[i]), load_pixels(row, first[i + 8]));
        const __m256i pairs = _mm256_shuffle_epi8(pixels, shuffle);
        sums[i] = _mm256_srli_epi32(_mm256_madd_epi16(pairs, each[i]), kColumnWeightBits + 7);
    }
    return _mm256_packus_epi16(_mm256_packus_epi32(sums[0], sums[1]), _mm256_packus_epi32(sums[2], sums[3]));
}

inline void interpolate_sixteen(const std::int16_t* row, const std::int32_t* first,
                                const std::int32_t* weights, __m128i (&fours)[4]) {
    for (std::size_t k = 0; k < 2; ++k) {
        const __m256i both = interpolate_fours(row, first + 4 * k, weights + 4 * k);
        fours[k] = _mm256_castsi256_si128(both);
        fours[k + 2] = _mm256_extracti128_si256(both, 1);
    }
}

#endif

#endif

}  // namespace TUNDISH_ISA
}  // namespace tundish

#endif
