// Three planes to interleaved pixels, in the registers of the instruction set that includes this.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace tundish {
namespace TUNDISH_ISA {

template <typename Element>
inline void interleave_elements(const Element* a, const Element* b, const Element* c, std::size_t begin,
                                std::size_t end, Element* output) {
    for (std::size_t i = begin; i < end; ++i) {
        output[3 * i] = a[i];
        output[3 * i + 1] = b[i];
        output[3 * i + 2] = c[i];
    }
}

// Writes 3 × length elements.
template <typename Element>
inline void interleave(const Element* a, const Element* b, const Element* c, std::size_t length,
                       Element* output) {
    interleave_elements(a, b, c, 0, length, output);
}

#if defined(__AVX2__)
// Sixteen bytes of each plane become three registers; byte i of the output is byte i / 3 of plane i % 3.
template <>
inline void interleave(const std::uint8_t* a, const std::uint8_t* b, const std::uint8_t* c,
                       std::size_t length, std::uint8_t* output) {
    const char z = -128;  // writes zero
    const __m128i from_a[3] = {_mm_setr_epi8(0, z, z, 1, z, z, 2, z, z, 3, z, z, 4, z, z, 5),
                               _mm_setr_epi8(z, z, 6, z, z, 7, z, z, 8, z, z, 9, z, z, 10, z),
                               _mm_setr_epi8(z, 11, z, z, 12, z, z, 13, z, z, 14, z, z, 15, z, z)};
    const __m128i from_b[3] = {_mm_setr_epi8(z, 0, z, z, 1, z, z, 2, z, z, 3, z, z, 4, z, z),
                               _mm_setr_epi8(5, z, z, 6, z, z, 7, z, z, 8, z, z, 9, z, z, 10),
                               _mm_setr_epi8(z, z, 11, z, z, 12, z, z, 13, z, z, 14, z, z, 15, z)};
    const __m128i from_c[3] = {_mm_setr_epi8(z, z, 0, z, z, 1, z, z, 2, z, z, 3, z, z, 4, z),
                               _mm_setr_epi8(z, 5, z, z, 6, z, z, 7, z, z, 8, z, z, 9, z, z),
                               _mm_setr_epi8(10, z, z, 11, z, z, 12, z, z, 13, z, z, 14, z, z, 15)};
    std::size_t i = 0;
    for (; i + 16 <= length; i += 16) {
        const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a + i));
        const __m128i y = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b + i));
        const __m128i w = _mm_loadu_si128(reinterpret_cast<const __m128i*>(c + i));
        for (int part = 0; part < 3; ++part) {
            const __m128i pixels = _mm_or_si128(
                _mm_or_si128(_mm_shuffle_epi8(x, from_a[part]), _mm_shuffle_epi8(y, from_b[part])),
                _mm_shuffle_epi8(w, from_c[part]));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(output + 3 * i + 16 * part), pixels);
        }
    }
    interleave_elements(a, b, c, i, length, output);
}
#endif

}  // namespace TUNDISH_ISA
}  // namespace tundish
