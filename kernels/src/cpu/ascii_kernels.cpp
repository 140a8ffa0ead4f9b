// The loop over plain ASCII of wordpiece; compiled once per instruction set, into the namespace TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations; row_kernels.cpp says why.
#include "ascii_kernels.h"

#include "tundish/ascii.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(TUNDISH_NEON)
#include <arm_neon.h>
#endif

namespace tundish {
namespace TUNDISH_ISA {
namespace {

// One bit a byte of a block, and the block in lowercase.
struct Block {
    std::uint64_t whitespace;
    std::uint64_t punctuation;
    std::uint64_t removed;
    std::uint64_t not_ascii;
};

#if defined(__AVX512BW__)

Block classify(const std::uint8_t* text, AsciiRules rules, std::uint8_t* output) {
    const __m512i bytes = _mm512_loadu_si512(text);
    const auto within = [&](const __m512i& values, char first, char count) {
        return _mm512_cmplt_epu8_mask(_mm512_sub_epi8(values, _mm512_set1_epi8(first)),
                                      _mm512_set1_epi8(count));
    };
    const __m512i space = _mm512_set1_epi8(' ');
    const std::uint64_t letters = within(_mm512_or_si512(bytes, space), 'a', 26);
    const std::uint64_t upper = within(bytes, 'A', 26);
    const std::uint64_t spaces = _mm512_cmpeq_epi8_mask(bytes, space);
    const std::uint64_t breaks = within(bytes, '\t', 5);
    const __m512i cased = rules.lowercase ? _mm512_mask_add_epi8(bytes, upper, bytes, space) : bytes;
    _mm512_storeu_si512(output, rules.clean_text ? _mm512_mask_mov_epi8(cased, breaks, space) : cased);
    // Vertical tab and form feed are whitespace and removed, too.
    return {spaces | breaks, within(bytes, '!', 94) & ~(letters | within(bytes, '0', 10)),
            (within(bytes, 0, ' ') & ~(breaks & ~within(bytes, '\v', 2))) |
                _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(0x7F)),
            _mm512_movepi8_mask(bytes)};
}

#elif defined(__x86_64__) || defined(TUNDISH_NEON)

#if defined(TUNDISH_NEON)
using Vector = uint8x16_t;
constexpr std::size_t kVectors = kAsciiBlock / sizeof(Vector);
Vector load(const std::uint8_t* text) { return vld1q_u8(text); }
void store(std::uint8_t* output, Vector value) { vst1q_u8(output, value); }
Vector both(Vector left, Vector right) { return vandq_u8(left, right); }
Vector either(Vector left, Vector right) { return vorrq_u8(left, right); }
Vector first_only(Vector left, Vector right) { return vbicq_u8(left, right); }
Vector all(int byte) { return vdupq_n_u8(static_cast<std::uint8_t>(byte)); }
Vector within(Vector values, int first, int count) {
    return vcltq_u8(vsubq_u8(values, all(first)), all(count));
}

// One bit a byte, its highest: each byte keeps the bit of its place among eight, and neighbours are added
// until eight are one byte.
std::uint64_t high_bits(const Vector (&vectors)[kVectors]) {
    const Vector places = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
    Vector bits[kVectors];
    for (std::size_t i = 0; i < kVectors; ++i) {
        bits[i] = vandq_u8(vreinterpretq_u8_s8(vshrq_n_s8(vreinterpretq_s8_u8(vectors[i]), 7)), places);
    }
    const Vector sums = vpaddq_u8(vpaddq_u8(bits[0], bits[1]), vpaddq_u8(bits[2], bits[3]));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)), 0);
}
#else
#if defined(__AVX2__)
using Vector = __m256i;
#define TUNDISH_VECTOR(operation) _mm256_##operation
Vector load(const std::uint8_t* text) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text)); }
void store(std::uint8_t* output, Vector value) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(output), value);
}
Vector both(Vector left, Vector right) { return _mm256_and_si256(left, right); }
Vector either(Vector left, Vector right) { return _mm256_or_si256(left, right); }
Vector first_only(Vector left, Vector right) { return _mm256_andnot_si256(right, left); }
#else
using Vector = __m128i;
#define TUNDISH_VECTOR(operation) _mm_##operation
Vector load(const std::uint8_t* text) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text)); }
void store(std::uint8_t* output, Vector value) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(output), value);
}
Vector both(Vector left, Vector right) { return _mm_and_si128(left, right); }
Vector either(Vector left, Vector right) { return _mm_or_si128(left, right); }
Vector first_only(Vector left, Vector right) { return _mm_andnot_si128(right, left); }
#endif

constexpr std::size_t kVectors = kAsciiBlock / sizeof(Vector);

Vector within(Vector values, char first, char count) {
    const Vector distance = TUNDISH_VECTOR(sub_epi8)(values, TUNDISH_VECTOR(set1_epi8)(first));
    const Vector last = TUNDISH_VECTOR(set1_epi8)(static_cast<char>(count - 1));
    return TUNDISH_VECTOR(cmpeq_epi8)(TUNDISH_VECTOR(min_epu8)(distance, last), distance);
}

Vector all(char byte) { return TUNDISH_VECTOR(set1_epi8)(byte); }

// One bit a byte: its highest.
std::uint64_t high_bits(const Vector (&vectors)[kVectors]) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < kVectors; ++i) {
        bits |=
            static_cast<std::uint64_t>(static_cast<std::uint32_t>(TUNDISH_VECTOR(movemask_epi8)(vectors[i])))
            << i * sizeof(Vector);
    }
    return bits;
}
#endif

Block classify(const std::uint8_t* text, AsciiRules rules, std::uint8_t* output) {
    Vector whitespace[kVectors], punctuation[kVectors], removed[kVectors], bytes[kVectors];
    const Vector space = all(' ');
    const Vector lowercase = all(rules.lowercase ? -1 : 0);
    const Vector clean_text = all(rules.clean_text ? -1 : 0);
    for (std::size_t i = 0; i < kVectors; ++i) {
        const Vector values = bytes[i] = load(text + i * sizeof(Vector));
        const Vector alphanumeric = either(within(either(values, space), 'a', 26), within(values, '0', 10));
        const Vector raised = both(both(within(values, 'A', 26), space), lowercase);
        const Vector breaks = within(values, '\t', 5);
        const Vector blanked = both(breaks, clean_text);
        store(output + i * sizeof(Vector),
              either(first_only(either(values, raised), blanked), both(blanked, space)));
        // Vertical tab and form feed are whitespace and removed, too.
        const Vector kept_breaks = first_only(breaks, within(values, '\v', 2));
        removed[i] = either(first_only(within(values, 0, ' '), kept_breaks), within(values, 0x7F, 1));
        whitespace[i] = either(breaks, within(values, ' ', 1));
        punctuation[i] = first_only(within(values, '!', 94), alphanumeric);
    }
    return {high_bits(whitespace), high_bits(punctuation), high_bits(removed), high_bits(bytes)};
}

#else

Block classify(const std::uint8_t* text, AsciiRules rules, std::uint8_t* output) {
    Block block{};
    for (std::size_t i = 0; i < kAsciiBlock; ++i) {
        const std::uint8_t byte = text[i];
        output[i] = rules.clean_text && is_ascii_whitespace(byte)
                        ? std::uint8_t{' '}
                        : (rules.lowercase ? ascii_lowercase(byte) : byte);
        block.whitespace |= static_cast<std::uint64_t>(is_ascii_whitespace(byte)) << i;
        block.punctuation |= static_cast<std::uint64_t>(is_ascii_punctuation(byte)) << i;
        block.removed |= static_cast<std::uint64_t>(is_ascii_removed(byte)) << i;
        block.not_ascii |= static_cast<std::uint64_t>(byte >> 7) << i;
    }
    return block;
}

#endif

// Writes the position of each bit, and up to seven places more: a branch for each would be mispredicted.
std::uint32_t* write_positions(std::uint64_t bits, std::uint32_t base, std::uint32_t* output) {
    const int count = __builtin_popcountll(bits);
    for (int written = 0; written < count; written += 8) {
        for (int i = 0; i < 8; ++i) {
            output[written + i] =
                base + static_cast<std::uint32_t>(__builtin_ctzll(bits | std::uint64_t{1} << 63));
            bits &= bits - 1;
        }
    }
    return output + count;
}

std::size_t split(const std::uint8_t* text, std::size_t size, AsciiRules rules, std::uint8_t* output,
                  std::uint32_t* begins, std::uint32_t* ends) {
    const std::uint32_t* const first = begins;
    std::uint64_t in_word = 0;     // bit 0: whether the byte before the block belongs to a word of several
    std::uint64_t after_mark = 0;  // the same for a punctuation mark
    std::uint8_t tail[kAsciiBlock];
    for (std::size_t i = 0; i < size; i += kAsciiBlock) {
        const std::uint8_t* bytes = text + i;
        if (size - i < kAsciiBlock) {
            for (std::size_t k = 0; k < kAsciiBlock; ++k) {
                tail[k] = k < size - i ? bytes[k] : std::uint8_t{' '};
            }
            bytes = tail;
        }
        const Block block = classify(bytes, rules, output + i);
        if ((block.not_ascii | (rules.clean_text ? block.removed : 0)) != 0) {
            return kNotPlain;
        }
        const std::uint64_t word = ~(block.whitespace | block.punctuation);
        const std::uint64_t word_before = word << 1 | in_word;
        const std::uint64_t mark_before = block.punctuation << 1 | after_mark;
        const auto base = static_cast<std::uint32_t>(i);
        begins = write_positions((word & ~word_before) | block.punctuation, base, begins);
        ends = write_positions((~word & word_before) | mark_before, base, ends);
        in_word = word >> 63;
        after_mark = block.punctuation >> 63;
    }
    if ((in_word | after_mark) != 0) {
        *ends = static_cast<std::uint32_t>(size);
    }
    return static_cast<std::size_t>(begins - first);
}

}  // namespace

extern const AsciiKernels kAsciiKernels = {split};

}  // namespace TUNDISH_ISA
}  // namespace tundish
