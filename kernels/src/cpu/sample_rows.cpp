// Point sampling and linear interpolation of rows; compiled once per instruction set, see row_kernels.cpp.
//
// Pixels are fetched one by one, or two at once where they are near enough, as words of three bytes and one
// that does not count; vectors then split the words into planes. Loads from a list of addresses (gathers)
// would not be faster, and are much slower where the processor works around its own flaws.
#include "sample_rows.h"

#include <cstring>

#include "row_kernels.h"
#include "sample_lanes.h"
#include "tundish/pixel.h"
#include "wide.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

constexpr std::size_t kPixelChunk = 64;

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

#if defined(TUNDISH_WIDE)

// The same for sixteen pixels, in registers.
void split_sixteen(const Lane::Type (&fours)[4], std::uint8_t* planes, std::size_t plane_stride) {
    // Bytes of a channel side by side in each register, then registers transposed by words.
    alignas(16) static constexpr std::uint8_t kByChannel[16] = {0, 4, 8,  12, 1, 5, 9,  13,
                                                                2, 6, 10, 14, 3, 7, 11, 15};
    const Lane::Type by_channel = Lane::load(kByChannel);
    const Lane::Type a = Lane::shuffle8(fours[0], by_channel);
    const Lane::Type b = Lane::shuffle8(fours[1], by_channel);
    const Lane::Type c = Lane::shuffle8(fours[2], by_channel);
    const Lane::Type d = Lane::shuffle8(fours[3], by_channel);
    const Lane::Type ab = Lane::low32(a, b);
    const Lane::Type cd = Lane::low32(c, d);
    Lane::store(Lane::low64(ab, cd), planes);
    Lane::store(Lane::high64(ab, cd), planes + plane_stride);
    Lane::store(Lane::low64(Lane::high32(a, b), Lane::high32(c, d)), planes + 2 * plane_stride);
}

// Pixels at equal distances of up to four: a load of sixteen bytes holds two, and two loads make four words.
// Returns how many of `length` it took: a multiple of 16, such that nothing after the last pixel is read.
std::size_t gather_evenly(const std::uint8_t* row, std::size_t length, std::size_t step, std::uint8_t* planes,
                          std::size_t plane_stride) {
    const std::size_t distance = 3 * step;
    alignas(16) std::uint8_t indices[2][16];
    for (std::size_t i = 0; i < 16; ++i) {
        const std::size_t byte = i % 4 + (i % 8 >= 4 ? distance : 0);
        indices[0][i] = static_cast<std::uint8_t>(i < 8 && i % 4 != 3 ? byte : 128);  // 128 gives zero
        indices[1][i] = static_cast<std::uint8_t>(i >= 8 && i % 4 != 3 ? byte : 128);
    }
    const Lane::Type low = Lane::load(indices[0]);
    const Lane::Type high = Lane::load(indices[1]);
    const std::size_t read = (length - 1) * distance + 3;
    std::size_t i = 0;
    for (; i + 16 <= length && (i + 14) * distance + 16 <= read; i += 16) {
        const std::uint8_t* const pixels = row + i * distance;
        Lane::Type fours[4];
        for (std::size_t k = 0; k < 4; ++k) {
            const std::uint8_t* const four = pixels + 4 * k * distance;
            fours[k] = Lane::or_(Lane::shuffle8(Lane::load(four), low),
                                 Lane::shuffle8(Lane::load(four + 2 * distance), high));
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
#if defined(TUNDISH_WIDE)
    if (step >= 1 && step <= 4) {
        const std::uint8_t* const pixels = row + 3 * static_cast<std::ptrdiff_t>(first[0]);
        begin = gather_evenly(pixels, length, static_cast<std::size_t>(step), planes, plane_stride);
    }
#else
    static_cast<void>(step);
#endif
    std::uint32_t pixels[kPixelChunk];
    for (; begin < before; begin += kPixelChunk) {
        const std::size_t count = before - begin < kPixelChunk ? before - begin : kPixelChunk;
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

#if defined(TUNDISH_WIDE)

// Where the weight is a multiple of 1/128, nothing is to be rounded. Returns how many elements it made.
std::size_t blend_short(const std::uint8_t* __restrict upper, const std::uint8_t* __restrict lower,
                        std::int16_t weight, std::size_t size, std::int16_t* __restrict output) {
    const int lower_weight = weight >> (kRowWeightBits - kShortBits);
    if (lower_weight == 0 || lower_weight << (kRowWeightBits - kShortBits) != weight) {
        return 0;  // 0 leaves 128 for the upper row, which is no signed byte
    }
    const auto weights = static_cast<std::uint16_t>(((1 << kShortBits) - lower_weight) | lower_weight << 8);
    const Wide::Type half = Wide::set16(64);
    std::size_t i = 0;
    for (; i + Wide::kBytes <= size; i += Wide::kBytes) {
        Wide::Products sums{half, half};
        Wide::add_weighted8(sums, Wide::load(upper + i), Wide::load(lower + i), weights);
        Wide::store_words(sums, output + i);
    }
    return i;
}

#endif

void blend(const std::uint8_t* __restrict upper, const std::uint8_t* __restrict lower, std::int16_t weight,
           std::size_t size, std::int16_t* __restrict output) {
    std::size_t i = 0;
#if defined(TUNDISH_WIDE)
    i = blend_short(upper, lower, weight, size, output);
    constexpr std::size_t kWords = Wide::kBytes / 2;
    const Wide::Type factor = Wide::set16(weight);
    const Wide::Type half = Wide::set16(64);
    for (; i + kWords <= size; i += kWords) {
        const Wide::Type a = Wide::widen8(upper + i);
        const Wide::Type b = Wide::widen8(lower + i);
        const Wide::Type step = Wide::mulhrs16(Wide::shl16<7>(Wide::sub16(b, a)), factor);
        Wide::store(Wide::add16(Wide::add16(Wide::shl16<7>(a), half), step), output + i);
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

void interpolate(const std::int16_t* row, const std::int32_t* first, const std::int32_t* weights,
                 std::size_t length, std::uint8_t* planes, std::size_t plane_stride) {
    std::size_t begin = 0;
#if defined(TUNDISH_WIDE)
    for (; begin + 16 <= length; begin += 16) {
        Lane::Type fours[4];
        interpolate_sixteen(row, first + begin, weights + begin, fours);
        split_sixteen(fours, planes + begin, plane_stride);
    }
#endif
    std::uint32_t pixels[kPixelChunk];
    for (; begin < length; begin += kPixelChunk) {
        const std::size_t count = length - begin < kPixelChunk ? length - begin : kPixelChunk;
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
