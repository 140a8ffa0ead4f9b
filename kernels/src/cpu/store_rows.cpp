// Rows of pixels to the elements of an output; compiled once per instruction set, see row_kernels.cpp.
#include "store_rows.h"

#include <cstring>

#include "interleave.h"
#include "row_kernels.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

void store(const std::uint8_t* __restrict pixels, std::size_t length, const Channel& channel,
           float* __restrict output) {
#if defined(__FMA__) || defined(__aarch64__)
    const NormalizePixel normalize = channel.normalize;
    for (std::size_t i = 0; i < length; ++i) {
        output[i] = normalize(pixels[i]);
    }
#else
    for (std::size_t i = 0; i < length; ++i) {
        output[i] = channel.floats[pixels[i]];
    }
#endif
}

void store(const std::uint8_t* __restrict pixels, std::size_t length, const Channel& channel,
           std::uint16_t* __restrict output) {
    std::size_t i = 0;
#if defined(__AVX512F__)
    const __m512 multiplier = _mm512_set1_ps(channel.normalize.multiplier);
    const __m512 offset = _mm512_set1_ps(channel.normalize.offset);
    for (; i + 16 <= length; i += 16) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(pixels + i));
        const __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
        const __m256i halves = _mm512_cvtps_ph(_mm512_fmadd_ps(values, multiplier, offset),
                                               _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(output + i), halves);
    }
#elif defined(TUNDISH_NEON)
    const float32x4_t multiplier = vdupq_n_f32(channel.normalize.multiplier);
    const float32x4_t offset = vdupq_n_f32(channel.normalize.offset);
    for (; i + 8 <= length; i += 8) {
        const uint16x8_t words = vmovl_u8(vld1_u8(pixels + i));
        const float32x4_t low = vcvtq_f32_u32(vmovl_u16(vget_low_u16(words)));
        const float32x4_t high = vcvtq_f32_u32(vmovl_high_u16(words));
        const float16x8_t halves = vcvt_high_f16_f32(vcvt_f16_f32(vfmaq_f32(offset, low, multiplier)),
                                                     vfmaq_f32(offset, high, multiplier));
        vst1q_u16(output + i, vreinterpretq_u16_f16(halves));
    }
#endif
    for (; i < length; ++i) {
        output[i] = channel.halves[pixels[i]];
    }
}

#if defined(__AVX2__)
// Looks sixteen adjacent entries of the table up at a time. Pixels below them wrap, and together with those
// above them end with the high bit set, which gives zero.
std::size_t look_up(const std::uint8_t* pixels, std::size_t length, const std::uint8_t* table,
                    std::uint8_t* output) {
    __m256i entries[16];
    for (int part = 0; part < 16; ++part) {
        entries[part] =
            _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table + 16 * part)));
    }
    std::size_t i = 0;
    for (; i + 32 <= length; i += 32) {
        __m256i rest = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pixels + i));
        __m256i found = _mm256_setzero_si256();
        for (int part = 0; part < 16; ++part) {
            const __m256i index = _mm256_adds_epu8(rest, _mm256_set1_epi8(0x70));
            found = _mm256_or_si256(found, _mm256_shuffle_epi8(entries[part], index));
            rest = _mm256_sub_epi8(rest, _mm256_set1_epi8(16));
        }
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(output + i), found);
    }
    return i;
}
#elif defined(TUNDISH_NEON)
// Looks a quarter of the table up at a time; what lies outside gives zero.
std::size_t look_up(const std::uint8_t* pixels, std::size_t length, const std::uint8_t* table,
                    std::uint8_t* output) {
    uint8x16x4_t quarters[4];
    for (int part = 0; part < 4; ++part) {
        quarters[part] = vld1q_u8_x4(table + 64 * part);
    }
    std::size_t i = 0;
    for (; i + 16 <= length; i += 16) {
        const uint8x16_t values = vld1q_u8(pixels + i);
        uint8x16_t found = vqtbl4q_u8(quarters[0], values);
        for (int part = 1; part < 4; ++part) {
            const auto begin = static_cast<std::uint8_t>(64 * part);
            found = vorrq_u8(found, vqtbl4q_u8(quarters[part], vsubq_u8(values, vdupq_n_u8(begin))));
        }
        vst1q_u8(output + i, found);
    }
    return i;
}
#endif

void store(const std::uint8_t* __restrict pixels, std::size_t length, const Channel& channel,
           std::uint8_t* __restrict output) {
    if (channel.keeps_pixels) {
        std::memcpy(output, pixels, length);
        return;
    }
    std::size_t i = 0;
#if defined(TUNDISH_WIDE)
    i = look_up(pixels, length, channel.bytes, output);
#endif
    for (; i < length; ++i) {
        output[i] = channel.bytes[pixels[i]];
    }
}

// The elements of up to a chunk of pixels: in `room`, or where they are if nothing becomes of them.
template <typename Element>
const Element* elements(const std::uint8_t* pixels, std::size_t length, const Channel& channel,
                        Element* room) {
    store(pixels, length, channel, room);
    return room;
}

const std::uint8_t* elements(const std::uint8_t* pixels, std::size_t length, const Channel& channel,
                             std::uint8_t* room) {
    if (channel.keeps_pixels) {
        return pixels;
    }
    store(pixels, length, channel, room);
    return room;
}

template <typename Element>
void store_interleaved(const std::uint8_t* const pixels[3], std::size_t length, const Channel channels[3],
                       Element* output) {
    constexpr std::size_t kChunk = 256;
    Element planes[3][kChunk];
    for (std::size_t begin = 0; begin < length; begin += kChunk) {
        const std::size_t count = length - begin < kChunk ? length - begin : kChunk;
        interleave(elements(pixels[0] + begin, count, channels[0], planes[0]),
                   elements(pixels[1] + begin, count, channels[1], planes[1]),
                   elements(pixels[2] + begin, count, channels[2], planes[2]), count, output + 3 * begin);
    }
}

}  // namespace

extern const StoreKernels kStoreKernels = {{store, store_interleaved<float>},
                                           {store, store_interleaved<std::uint16_t>},
                                           {store, store_interleaved<std::uint8_t>}};

}  // namespace TUNDISH_ISA
}  // namespace tundish
