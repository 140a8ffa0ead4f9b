// Lane and Wide for AVX2 and AVX-512, see wide.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace tundish {
namespace TUNDISH_ISA {

struct Lane {
    using Type = __m128i;

    static Type load(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
    static void store(Type a, void* p) { _mm_storeu_si128(static_cast<__m128i*>(p), a); }
    static Type or_(Type a, Type b) { return _mm_or_si128(a, b); }
    static Type shuffle8(Type a, Type indices) { return _mm_shuffle_epi8(a, indices); }  // from 128 on: 0
    static Type low32(Type a, Type b) { return _mm_unpacklo_epi32(a, b); }
    static Type high32(Type a, Type b) { return _mm_unpackhi_epi32(a, b); }
    static Type low64(Type a, Type b) { return _mm_unpacklo_epi64(a, b); }
    static Type high64(Type a, Type b) { return _mm_unpackhi_epi64(a, b); }
};

#if defined(__AVX512BW__)

struct Wide {
    using Type = __m512i;
    static constexpr std::size_t kBytes = 64;

    static Type load(const void* p) { return _mm512_loadu_si512(p); }
    static Type widen8(const std::uint8_t* p) {
        return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    static Type broadcast(__m128i a) { return _mm512_broadcast_i32x4(a); }
    static Type set16(int a) { return _mm512_set1_epi16(static_cast<short>(a)); }
    static Type set32(int a) { return _mm512_set1_epi32(a); }
    static Type or_(Type a, Type b) { return _mm512_or_si512(a, b); }
    static Type and_(Type a, Type b) { return _mm512_and_si512(a, b); }
    static Type add16(Type a, Type b) { return _mm512_add_epi16(a, b); }
    static Type add32(Type a, Type b) { return _mm512_add_epi32(a, b); }
    static Type sub16(Type a, Type b) { return _mm512_sub_epi16(a, b); }
    static Type subs_u8(Type a, Type b) { return _mm512_subs_epu8(a, b); }
    static Type mulhrs16(Type a, Type b) { return _mm512_mulhrs_epi16(a, b); }
    // Words or doublewords: of the lower half of each lane, and of the other.
    struct Products {
        Type low, high;
    };
    // Adds, to words, bytes of a × the low byte of `weights` + bytes of b × the high byte, both below 128.
    static void add_weighted8(Products& sums, Type a, Type b, std::uint16_t weights) {
        const Type factors = set16(weights);
        sums.low = add16(sums.low, _mm512_maddubs_epi16(low8(a, b), factors));
        sums.high = add16(sums.high, _mm512_maddubs_epi16(high8(a, b), factors));
    }

    // Words by a constant of up to 22 bits, as doublewords. A word x stands beside 128 x, so that the
    // constant, split after seven bits, needs one multiplication and addition of pairs; |x| is below 256.
    static Products multiply(Type a, std::int32_t constant) {
        const Type shifted = shl16<7>(a);
        const Type factors =
            set32(static_cast<int>(static_cast<unsigned>(constant >> 7) << 16 | (constant & 127)));
        return {_mm512_madd_epi16(_mm512_unpacklo_epi16(a, shifted), factors),
                _mm512_madd_epi16(_mm512_unpackhi_epi16(a, shifted), factors)};
    }

    template <int kBits>
    static Type shl16(Type a) {
        return _mm512_slli_epi16(a, kBits);
    }
    template <int kBits>
    static Type shr16(Type a) {
        return _mm512_srli_epi16(a, kBits);
    }
    template <int kBits>
    static Type sra16(Type a) {
        return _mm512_srai_epi16(a, kBits);
    }
    static Type low8(Type a, Type b) { return _mm512_unpacklo_epi8(a, b); }
    static Type high8(Type a, Type b) { return _mm512_unpackhi_epi8(a, b); }
    // The upper word of each doubleword of a and b, by turns.
    static Type upper_words(Type a, Type b) {
        return _mm512_mask_mov_epi16(_mm512_srli_epi32(a, 16), 0xAAAAAAAA, b);
    }
    static Type packus16(Type a, Type b) { return _mm512_packus_epi16(a, b); }
    static Type shuffle8(Type a, Type b) { return _mm512_shuffle_epi8(a, b); }

    static void store(Type a, void* p) { _mm512_storeu_si512(p, a); }

    // Stores the words of all lanes in order.
    static void store_words(const Products& a, std::int16_t* output) {
        const Type first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
        const Type second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
        store(_mm512_permutex2var_epi64(a.low, first, a.high), output);
        store(_mm512_permutex2var_epi64(a.low, second, a.high), output + 32);
    }

    // Stores lane i at output + i × stride, for each i < lanes; lanes is 3 or 4.
    static void store_lanes(Type a, std::uint8_t* output, std::size_t stride, std::size_t lanes = 4) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(output), _mm512_castsi512_si128(a));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(output + stride), _mm512_extracti32x4_epi32(a, 1));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(output + 2 * stride), _mm512_extracti32x4_epi32(a, 2));
        if (lanes == 4) {
            _mm_storeu_si128(reinterpret_cast<__m128i*>(output + 3 * stride),
                             _mm512_extracti32x4_epi32(a, 3));
        }
    }
};

#else

struct Wide {
    using Type = __m256i;
    static constexpr std::size_t kBytes = 32;

    static Type load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
    static Type widen8(const std::uint8_t* p) {
        return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    static Type broadcast(__m128i a) { return _mm256_broadcastsi128_si256(a); }
    static Type set16(int a) { return _mm256_set1_epi16(static_cast<short>(a)); }
    static Type set32(int a) { return _mm256_set1_epi32(a); }
    static Type or_(Type a, Type b) { return _mm256_or_si256(a, b); }
    static Type and_(Type a, Type b) { return _mm256_and_si256(a, b); }
    static Type add16(Type a, Type b) { return _mm256_add_epi16(a, b); }
    static Type add32(Type a, Type b) { return _mm256_add_epi32(a, b); }
    static Type sub16(Type a, Type b) { return _mm256_sub_epi16(a, b); }
    static Type subs_u8(Type a, Type b) { return _mm256_subs_epu8(a, b); }
    static Type mulhrs16(Type a, Type b) { return _mm256_mulhrs_epi16(a, b); }
    struct Products {
        Type low, high;
    };
    static void add_weighted8(Products& sums, Type a, Type b, std::uint16_t weights) {
        const Type factors = set16(weights);
        sums.low = add16(sums.low, _mm256_maddubs_epi16(low8(a, b), factors));
        sums.high = add16(sums.high, _mm256_maddubs_epi16(high8(a, b), factors));
    }

    static Products multiply(Type a, std::int32_t constant) {
        const Type shifted = shl16<7>(a);
        const Type factors =
            set32(static_cast<int>(static_cast<unsigned>(constant >> 7) << 16 | (constant & 127)));
        return {_mm256_madd_epi16(_mm256_unpacklo_epi16(a, shifted), factors),
                _mm256_madd_epi16(_mm256_unpackhi_epi16(a, shifted), factors)};
    }

    template <int kBits>
    static Type shl16(Type a) {
        return _mm256_slli_epi16(a, kBits);
    }
    template <int kBits>
    static Type shr16(Type a) {
        return _mm256_srli_epi16(a, kBits);
    }
    template <int kBits>
    static Type sra16(Type a) {
        return _mm256_srai_epi16(a, kBits);
    }
    static Type low8(Type a, Type b) { return _mm256_unpacklo_epi8(a, b); }
    static Type high8(Type a, Type b) { return _mm256_unpackhi_epi8(a, b); }
    static Type upper_words(Type a, Type b) { return _mm256_blend_epi16(_mm256_srli_epi32(a, 16), b, 0xAA); }
    static Type packus16(Type a, Type b) { return _mm256_packus_epi16(a, b); }
    static Type shuffle8(Type a, Type b) { return _mm256_shuffle_epi8(a, b); }

    static void store(Type a, void* p) { _mm256_storeu_si256(static_cast<__m256i*>(p), a); }
    static void store_words(const Products& a, std::int16_t* output) {
        store(_mm256_permute2x128_si256(a.low, a.high, 0x20), output);
        store(_mm256_permute2x128_si256(a.low, a.high, 0x31), output + 16);
    }

    // Stores lane i at output + i × stride, for each i < lanes; lanes is 1 or 2.
    static void store_lanes(Type a, std::uint8_t* output, std::size_t stride, std::size_t lanes = 2) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(output), _mm256_castsi256_si128(a));
        if (lanes == 2) {
            _mm_storeu_si128(reinterpret_cast<__m128i*>(output + stride), _mm256_extracti128_si256(a, 1));
        }
    }
};

#endif

}  // namespace TUNDISH_ISA
}  // namespace tundish
