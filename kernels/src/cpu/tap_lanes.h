// A row's interpolation where a register holds all elements that adjacent columns need, as when a row grows:
// permuting the register takes a fraction of the time of gathering from memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/bilinear.h"
#include "upsample_argmax_loops.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(TUNDISH_NEON)
#include <arm_neon.h>

#include <cstring>
#endif

namespace tundish {
namespace TUNDISH_ISA {

#if defined(__AVX512F__)

constexpr std::size_t kTapLanes = 16;

inline __m512 select(const __m512& window, const std::int32_t* taps, std::int32_t begin) {
    const __m512i indices = _mm512_sub_epi32(_mm512_loadu_si512(taps), _mm512_set1_epi32(begin));
    return _mm512_permutexvar_ps(indices, window);
}

// Columns [column, column + kTapLanes); false, and nothing written, if their elements are too far apart.
inline bool interpolate_lanes(const float* row, std::size_t row_length, const ColumnTaps& taps,
                              std::size_t column, float* output) {
    const std::int32_t begin = taps.first[column];
    if (taps.second[column + kTapLanes - 1] - begin >= static_cast<std::int32_t>(kTapLanes)) {
        return false;
    }
    const std::size_t left = row_length - static_cast<std::size_t>(begin);
    const auto inside = static_cast<__mmask16>(left < kTapLanes ? (1U << left) - 1 : 0xFFFFU);
    const __m512 window = _mm512_maskz_loadu_ps(inside, row + begin);
    const __m512 second = _mm512_mul_ps(select(window, taps.second + column, begin),
                                        _mm512_loadu_ps(taps.second_weight + column));
    const __m512 first = select(window, taps.first + column, begin);
    _mm512_storeu_ps(output + column,
                     _mm512_fmadd_ps(first, _mm512_loadu_ps(taps.first_weight + column), second));
    return true;
}

#elif defined(__AVX2__)

constexpr std::size_t kTapLanes = 8;

inline __m256 select(const __m256& window, const std::int32_t* taps, std::int32_t begin) {
    const __m256i indices = _mm256_sub_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(taps)),
                                             _mm256_set1_epi32(begin));
    return _mm256_permutevar8x32_ps(window, indices);
}

inline bool interpolate_lanes(const float* row, std::size_t row_length, const ColumnTaps& taps,
                              std::size_t column, float* output) {
    const std::int32_t begin = taps.first[column];
    if (taps.second[column + kTapLanes - 1] - begin >= static_cast<std::int32_t>(kTapLanes)) {
        return false;
    }
    const auto left = static_cast<std::int32_t>(row_length) - begin;
    const __m256i inside =
        _mm256_cmpgt_epi32(_mm256_set1_epi32(left), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    const __m256 window = _mm256_maskload_ps(row + begin, inside);
    const __m256 second = _mm256_mul_ps(select(window, taps.second + column, begin),
                                        _mm256_loadu_ps(taps.second_weight + column));
    const __m256 first = select(window, taps.first + column, begin);
    _mm256_storeu_ps(output + column,
                     _mm256_fmadd_ps(first, _mm256_loadu_ps(taps.first_weight + column), second));
    return true;
}

#elif defined(TUNDISH_NEON)

constexpr std::size_t kTapLanes = 8;

// Four elements, each by its four bytes.
inline float32x4_t select(const uint8x16x2_t& window, const std::int32_t* taps, std::int32_t begin) {
    const int32x4_t indices = vsubq_s32(vld1q_s32(taps), vdupq_n_s32(begin));
    const int32x4_t bytes = vmlaq_n_s32(vdupq_n_s32(0x03020100), indices, 0x04040404);
    return vreinterpretq_f32_u8(vqtbl2q_u8(window, vreinterpretq_u8_s32(bytes)));
}

inline bool interpolate_lanes(const float* row, std::size_t row_length, const ColumnTaps& taps,
                              std::size_t column, float* output) {
    const std::int32_t begin = taps.first[column];
    if (taps.second[column + kTapLanes - 1] - begin >= static_cast<std::int32_t>(kTapLanes)) {
        return false;
    }
    const float* elements = row + begin;
    float copy[kTapLanes] = {};
    const std::size_t left = row_length - static_cast<std::size_t>(begin);
    if (left < kTapLanes) {
        std::memcpy(copy, elements, left * sizeof *elements);
        elements = copy;
    }
    const uint8x16x2_t window{
        {vreinterpretq_u8_f32(vld1q_f32(elements)), vreinterpretq_u8_f32(vld1q_f32(elements + 4))}};
    for (std::size_t i = column; i < column + kTapLanes; i += 4) {
        const float32x4_t second =
            vmulq_f32(select(window, taps.second + i, begin), vld1q_f32(taps.second_weight + i));
        const float32x4_t first = select(window, taps.first + i, begin);
        vst1q_f32(output + i, vfmaq_f32(second, first, vld1q_f32(taps.first_weight + i)));
    }
    return true;
}

#else

constexpr std::size_t kTapLanes = 8;

inline bool interpolate_lanes(const float*, std::size_t, const ColumnTaps&, std::size_t, float*) {
    return false;
}

#endif

}  // namespace TUNDISH_ISA
}  // namespace tundish
