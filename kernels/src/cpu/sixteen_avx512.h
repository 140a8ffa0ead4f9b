// Sixteen floats in one register; see sixteen.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace tundish {
namespace TUNDISH_ISA {

struct Sixteen {
    __m512 a;

    static Sixteen of(float value) { return {_mm512_set1_ps(value)}; }
    static Sixteen load(const float* p) { return {_mm512_loadu_ps(p)}; }
    static Sixteen from(const std::int32_t* p) { return {_mm512_cvtepi32_ps(_mm512_loadu_si512(p))}; }
    void store(float* p) const { _mm512_storeu_ps(p, a); }
};

inline Sixteen add(Sixteen x, Sixteen y) { return {_mm512_add_ps(x.a, y.a)}; }
inline Sixteen subtract(Sixteen x, Sixteen y) { return {_mm512_sub_ps(x.a, y.a)}; }
inline Sixteen multiply(Sixteen x, Sixteen y) { return {_mm512_mul_ps(x.a, y.a)}; }
inline Sixteen fma(Sixteen x, Sixteen y, Sixteen z) { return {_mm512_fmadd_ps(x.a, y.a, z.a)}; }
// The second where one is no number.
inline Sixteen lesser(Sixteen x, Sixteen y) { return {_mm512_min_ps(x.a, y.a)}; }
inline Sixteen greater(Sixteen x, Sixteen y) { return {_mm512_max_ps(x.a, y.a)}; }
// x × 2^n for integers n within 126 of 0.
inline Sixteen scaled(Sixteen x, Sixteen n) {
    const __m512i power =
        _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n.a), _mm512_set1_epi32(127)), 23);
    return {_mm512_mul_ps(x.a, _mm512_castsi512_ps(power))};
}
// Of numbers within 0 and 255, rounded with halves to even.
inline void store_bytes(Sixteen x, std::uint8_t* p) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x.a)));
}

// Halves add up, or are compared, until one is left.
inline float sum(Sixteen x) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x.a), _mm512_extractf32x8_ps(x.a, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
inline float least(Sixteen x) { return _mm512_reduce_min_ps(x.a); }
inline float greatest(Sixteen x) { return _mm512_reduce_max_ps(x.a); }

}  // namespace TUNDISH_ISA
}  // namespace tundish
