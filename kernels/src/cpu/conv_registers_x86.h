// Registers of 16, 32 and, with AVX-512, 64 bytes; see conv_registers.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace tundish {
namespace TUNDISH_ISA {

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#define TUNDISH_CONV_BYTES 1
#endif

#if defined(__AVX512BW__)
constexpr std::size_t kWidestBlock = 64;
constexpr std::size_t kPositionsTogether = 4;
#else
constexpr std::size_t kWidestBlock = 32;
constexpr std::size_t kPositionsTogether = 2;
#endif

struct Register16 {
    using Ints = __m128i;
    using Floats = __m128;

    static Ints load(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
    static void store(Ints a, void* p) { _mm_storeu_si128(static_cast<__m128i*>(p), a); }
    static Floats load_floats(const float* p) { return _mm_loadu_ps(p); }
    static Ints broadcast32(std::int32_t a) { return _mm_set1_epi32(a); }
    static Ints broadcast16(std::int16_t a) { return _mm_set1_epi16(a); }
    static Ints low8(Ints a, Ints b) { return _mm_unpacklo_epi8(a, b); }
    static Ints high8(Ints a, Ints b) { return _mm_unpackhi_epi8(a, b); }
    static Ints low16(Ints a, Ints b) { return _mm_unpacklo_epi16(a, b); }
    static Ints high16(Ints a, Ints b) { return _mm_unpackhi_epi16(a, b); }
    static Ints add32(Ints a, Ints b) { return _mm_add_epi32(a, b); }
    static Ints adds16(Ints a, Ints b) { return _mm_adds_epi16(a, b); }
    static Ints pack32(Ints a, Ints b) { return _mm_packs_epi32(a, b); }
    static Ints packus16(Ints a, Ints b) { return _mm_packus_epi16(a, b); }
    static Ints madd16(Ints a, Ints b) { return _mm_madd_epi16(a, b); }
    static Ints even_bytes(Ints a) { return _mm_and_si128(a, _mm_set1_epi16(0xFF)); }
    static Ints odd_bytes(Ints a) { return _mm_srli_epi16(a, 8); }
    static Ints rounded(Ints sums, Floats scales) {
        return _mm_cvtps_epi32(_mm_mul_ps(_mm_cvtepi32_ps(sums), scales));
    }
#if defined(__AVX512VNNI__)
    static Ints dot(Ints sums, Ints bytes, Ints weights) { return _mm_dpbusd_epi32(sums, bytes, weights); }
#elif defined(__AVXVNNI__)
    static Ints dot(Ints sums, Ints bytes, Ints weights) {
        return _mm_dpbusd_avx_epi32(sums, bytes, weights);
    }
#endif
};

struct Register32 {
    using Ints = __m256i;
    using Floats = __m256;

    static Ints load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
    static void store(Ints a, void* p) { _mm256_storeu_si256(static_cast<__m256i*>(p), a); }
    static Floats load_floats(const float* p) { return _mm256_loadu_ps(p); }
    static Ints broadcast32(std::int32_t a) { return _mm256_set1_epi32(a); }
    static Ints broadcast16(std::int16_t a) { return _mm256_set1_epi16(a); }
    static Ints low8(Ints a, Ints b) { return _mm256_unpacklo_epi8(a, b); }
    static Ints high8(Ints a, Ints b) { return _mm256_unpackhi_epi8(a, b); }
    static Ints low16(Ints a, Ints b) { return _mm256_unpacklo_epi16(a, b); }
    static Ints high16(Ints a, Ints b) { return _mm256_unpackhi_epi16(a, b); }
    static Ints add32(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
    static Ints adds16(Ints a, Ints b) { return _mm256_adds_epi16(a, b); }
    static Ints pack32(Ints a, Ints b) { return _mm256_packs_epi32(a, b); }
    static Ints packus16(Ints a, Ints b) { return _mm256_packus_epi16(a, b); }
    static Ints madd16(Ints a, Ints b) { return _mm256_madd_epi16(a, b); }
    static Ints even_bytes(Ints a) { return _mm256_and_si256(a, _mm256_set1_epi16(0xFF)); }
    static Ints odd_bytes(Ints a) { return _mm256_srli_epi16(a, 8); }
    static Ints rounded(Ints sums, Floats scales) {
        return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(sums), scales));
    }
#if defined(__AVX512VNNI__)
    static Ints dot(Ints sums, Ints bytes, Ints weights) { return _mm256_dpbusd_epi32(sums, bytes, weights); }
#elif defined(__AVXVNNI__)
    static Ints dot(Ints sums, Ints bytes, Ints weights) {
        return _mm256_dpbusd_avx_epi32(sums, bytes, weights);
    }
#endif
};

#if defined(__AVX512BW__)

struct Register64 {
    using Ints = __m512i;
    using Floats = __m512;

    static Ints load(const void* p) { return _mm512_loadu_si512(p); }
    static void store(Ints a, void* p) { _mm512_storeu_si512(p, a); }
    static Floats load_floats(const float* p) { return _mm512_loadu_ps(p); }
    static Ints broadcast32(std::int32_t a) { return _mm512_set1_epi32(a); }
    static Ints broadcast16(std::int16_t a) { return _mm512_set1_epi16(a); }
    static Ints low8(Ints a, Ints b) { return _mm512_unpacklo_epi8(a, b); }
    static Ints high8(Ints a, Ints b) { return _mm512_unpackhi_epi8(a, b); }
    static Ints low16(Ints a, Ints b) { return _mm512_unpacklo_epi16(a, b); }
    static Ints high16(Ints a, Ints b) { return _mm512_unpackhi_epi16(a, b); }
    static Ints add32(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
    static Ints adds16(Ints a, Ints b) { return _mm512_adds_epi16(a, b); }
    static Ints pack32(Ints a, Ints b) { return _mm512_packs_epi32(a, b); }
    static Ints packus16(Ints a, Ints b) { return _mm512_packus_epi16(a, b); }
    static Ints madd16(Ints a, Ints b) { return _mm512_madd_epi16(a, b); }
    static Ints even_bytes(Ints a) { return _mm512_and_si512(a, _mm512_set1_epi16(0xFF)); }
    static Ints odd_bytes(Ints a) { return _mm512_srli_epi16(a, 8); }
    static Ints rounded(Ints sums, Floats scales) {
        return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sums), scales));
    }
#if defined(__AVX512VNNI__)
    static Ints dot(Ints sums, Ints bytes, Ints weights) { return _mm512_dpbusd_epi32(sums, bytes, weights); }
#endif
};

#endif

}  // namespace TUNDISH_ISA
}  // namespace tundish
