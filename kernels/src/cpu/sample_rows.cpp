// Point sampling and linear interpolation of rows; compiled once per instruction set, see row_kernels.cpp.
//
// Pixels are fetched one by one, or two at once where they are near enough, as words of three bytes and one
// that does not count; vectors then split the words into planes. Loads from a list of addresses (gathers)
// would not be faster, and are much slower where the processor works around its own flaws.
#include "sample_rows.h"

#include <cstring>

#include "row_kernels.h"
#include "tundish/pixel.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace tundish {
namespace TUNDISH_ISA {
namespace {

constexpr std::size_t kChunk = 64;

// A pixel is the low three bytes of a word.
void split(const std::uint32_t* __restrict pixels, std::size_t length, std::uint8_t* __restrict planes,
           std::size_t plane_stride) {
    for (std::size_t i = 0; i < length; ++i) {
        planes[i] = static_cast<std::uint8_t>(pixels[i]);
    }
    for (std::size_t i = 0; i < length; ++i) {
        planes[plane_stride + i] = static_cast<std::uint8_t>(pixels[i] >> 8);
    }
    for (std::size_t i = 0; i < length; ++i) {
        planes[2 * plane_stride + i] = static_cast<std::uint8_t>(pixels[i] >> 16);
    }
}

#if defined(__AVX2__)

// The same for sixteen pixels, in registers.
void split_sixteen(const __m128i (&fours)[4], std::uint8_t* planes, std::size_t plane_stride) {
    // Bytes of a channel side by side in each register, then registers transposed by words.
    const __m128i by_channel = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m128i a = _mm_shuffle_epi8(fours[0], by_channel);
    const __m128i b = _mm_shuffle_epi8(fours[1], by_channel);
    const __m128i c = _mm_shuffle_epi8(fours[2], by_channel);
    const __m128i d = _mm_shuffle_epi8(fours[3], by_channel);
    const __m128i ab_low = _mm_unpacklo_epi32(a, b);
    const __m128i cd_low = _mm_unpacklo_epi32(c, d);
    const __m128i ab_high = _mm_unpackhi_epi32(a, b);
    const __m128i cd_high = _mm_unpackhi_epi32(c, d);
    __m128i* const red = reinterpret_cast<__m128i*>(planes);
    __m128i* const green = reinterpret_cast<__m128i*>(planes + plane_stride);
    __m128i* const blue = reinterpret_cast<__m128i*>(planes + 2 * plane_stride);
    _mm_storeu_si128(red, _mm_unpacklo_epi64(ab_low, cd_low));
    _mm_storeu_si128(green, _mm_unpackhi_epi64(ab_low, cd_low));
    _mm_storeu_si128(blue, _mm_unpacklo_epi64(ab_high, cd_high));
}

// Pixels at equal distances of up to four: a load of sixteen bytes holds two, and two loads make four words.
// Returns how many of `length` it took: a multiple of 16, such that nothing after the last pixel is read.
std::size_t gather_evenly(const std::uint8_t* row, std::size_t length, std::size_t step, std::uint8_t* planes,
                          std::size_t plane_stride) {
    const std::size_t distance = 3 * step;
    alignas(16) std::int8_t indices[2][16];
    for (int i = 0; i < 16; ++i) {
        const bool second = i % 8 >= 4;
        const int byte = i % 4 + (second ? static_cast<int>(distance) : 0);
        indices[0][i] = static_cast<std::int8_t>(i < 8 && i % 4 != 3 ? byte : -128);  // -128 writes zero
        indices[1][i] = static_cast<std::int8_t>(i >= 8 && i % 4 != 3 ? byte : -128);
    }
    const __m128i low = _mm_load_si128(reinterpret_cast<const __m128i*>(indices[0]));
    const __m128i high = _mm_load_si128(reinterpret_cast<const __m128i*>(indices[1]));
    const std::size_t read = (length - 1) * distance + 3;
    std::size_t i = 0;
    for (; i + 16 <= length && (i + 14) * distance + 16 <= read; i += 16) {
        const std::uint8_t* const pixels = row + i * distance;
        __m128i fours[4];
        for (std::size_t k = 0; k < 4; ++k) {
            const std::uint8_t* const four = pixels + 4 * k * distance;
            const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(four));
            const __m128i second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(four + 2 * distance));
            fours[k] = _mm_or_si128(_mm_shuffle_epi8(first, low), _mm_shuffle_epi8(second, high));
        }
        split_sixteen(fours, planes + i, plane_stride);
    }
    return i;
}

#endif

void gather(const std::uint8_t* row, const std::int32_t* first, std::size_t length, std::int32_t step,
            std::uint8_t* planes, std::size_t plane_stride) {
    // The pixels before the last one have a byte after them that may be read.
    const std::int32_t last = first[length - 1];
    std::size_t before = length;
    while (before > 0 && first[before - 1] == last) {
        --before;
    }
    std::size_t begin = 0;
#if defined(__AVX2__)
    if (step >= 1 && step <= 4) {
        const std::uint8_t* const pixels = row + 3 * static_cast<std::ptrdiff_t>(first[0]);
        begin = gather_evenly(pixels, length, static_cast<std::size_t>(step), planes, plane_stride);
    }
#else
    static_cast<void>(step);
#endif
    std::uint32_t pixels[kChunk];
    for (; begin < before; begin += kChunk) {
        const std::size_t count = before - begin < kChunk ? before - begin : kChunk;
        for (std::size_t i = 0; i < count; ++i) {
            std::memcpy(&pixels[i], row + 3 * static_cast<std::ptrdiff_t>(first[begin + i]), 4);
        }
        split(pixels, count, planes + begin, plane_stride);
    }
    for (int c = 0; c < 3; ++c) {
        std::memset(planes + static_cast<std::size_t>(c) * plane_stride + before,
                    row[3 * static_cast<std::ptrdiff_t>(last) + c], length - before);
    }
}

void blend(const std::uint8_t* __restrict upper, const std::uint8_t* __restrict lower, std::int16_t weight,
           std::size_t size, std::int16_t* __restrict output) {
    std::size_t i = 0;
#if defined(__AVX512BW__)
    const __m512i factor = _mm512_set1_epi16(weight);
    const __m512i half = _mm512_set1_epi16(64);
    for (; i + 32 <= size; i += 32) {
        const __m512i a =
            _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(upper + i)));
        const __m512i b =
            _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(lower + i)));
        const __m512i step = _mm512_mulhrs_epi16(_mm512_slli_epi16(_mm512_sub_epi16(b, a), 7), factor);
        const __m512i sum = _mm512_add_epi16(_mm512_add_epi16(_mm512_slli_epi16(a, 7), half), step);
        _mm512_storeu_si512(output + i, sum);
    }
#elif defined(__AVX2__)
    const __m256i factor = _mm256_set1_epi16(weight);
    const __m256i half = _mm256_set1_epi16(64);
    for (; i + 16 <= size; i += 16) {
        const __m256i a = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(upper + i)));
        const __m256i b = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(lower + i)));
        const __m256i step = _mm256_mulhrs_epi16(_mm256_slli_epi16(_mm256_sub_epi16(b, a), 7), factor);
        const __m256i sum = _mm256_add_epi16(_mm256_add_epi16(_mm256_slli_epi16(a, 7), half), step);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(output + i), sum);
    }
#endif
    for (; i < size; ++i) {
        output[i] = blend_rows(upper[i], lower[i], weight);
    }
}

std::uint32_t interpolate_pixel(const std::int16_t* left, std::int32_t weights) {
    const auto weight = static_cast<std::int16_t>(weights >> 16);
    return blend_columns(left[0], left[3], weight) | blend_columns(left[1], left[4], weight) << 8 |
           blend_columns(left[2], left[5], weight) << 16;
}

#if defined(__AVX2__)

// Left and right beside each other, channel by channel, for multiplying and adding pairs.
inline __m128i pair_shuffle() {
    return _mm_setr_epi8(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, -128, -128, -128, -128);
}

inline __m128i load_pixels(const std::int16_t* row, std::int32_t pixel) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 3 * static_cast<std::ptrdiff_t>(pixel)));
}

inline __m128i load_weights(const std::int32_t* weights) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights));
}

// Four packed pixels.
#if defined(__AVX512BW__)
inline __m128i interpolate_four(const std::int16_t* row, const std::int32_t* first,
                                const std::int32_t* weights) {
    const __m512i each_four = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    __m512i values = _mm512_castsi128_si512(load_pixels(row, first[0]));
    values = _mm512_inserti32x4(values, load_pixels(row, first[1]), 1);
    values = _mm512_inserti32x4(values, load_pixels(row, first[2]), 2);
    values = _mm512_inserti32x4(values, load_pixels(row, first[3]), 3);
    const __m512i pairs = _mm512_shuffle_epi8(values, _mm512_broadcast_i32x4(pair_shuffle()));
    const __m512i factors =
        _mm512_permutexvar_epi32(each_four, _mm512_castsi128_si512(load_weights(weights)));
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
    const __m256i shuffle = _mm256_broadcastsi128_si256(pair_shuffle());
    const __m256i factors = join(load_weights(weights), load_weights(weights + 8));
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

void interpolate(const std::int16_t* row, const std::int32_t* first, const std::int32_t* weights,
                 std::size_t length, std::uint8_t* planes, std::size_t plane_stride) {
    std::size_t begin = 0;
#if defined(__AVX2__)
    for (; begin + 16 <= length; begin += 16) {
        __m128i fours[4];
        interpolate_sixteen(row, first + begin, weights + begin, fours);
        split_sixteen(fours, planes + begin, plane_stride);
    }
#endif
    std::uint32_t pixels[kChunk];
    for (; begin < length; begin += kChunk) {
        const std::size_t count = length - begin < kChunk ? length - begin : kChunk;
        for (std::size_t i = 0; i < count; ++i) {
            const auto x = static_cast<std::ptrdiff_t>(first[begin + i]);
            pixels[i] = interpolate_pixel(row + 3 * x, weights[begin + i]);
        }
        split(pixels, count, planes + begin, plane_stride);
    }
}

}  // namespace

extern const SampleKernels kSampleKernels = {gather, blend, interpolate};

}  // namespace TUNDISH_ISA
}  // namespace tundish
