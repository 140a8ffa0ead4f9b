// The inner loops of the filters with weights; compiled once per instruction set, into the namespace
// TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations: the linker keeps one copy of an inline
// function, and if that were the copy of this file, code meant for every CPU would hold instructions that
// only some have.
#include "row_kernels.h"

#include "lanes.h"
#include "short_lanes.h"
#include "transpose.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

constexpr std::size_t kPixel = 3 * kBlock;  // a transposed pixel: kBlock bytes of each channel

// One output pixel of kBlock rows; `pixels` are the transposed ones that its weights are for.
void sum_pixels(const std::uint8_t* pixels, const std::int32_t* coefficients, std::int32_t count,
                std::uint8_t* output) {
    Lanes red, green, blue;
    for (std::int32_t k = 0; k < count; ++k, pixels += kPixel) {
        red.add_product(pixels, coefficients[k]);
        green.add_product(pixels + kBlock, coefficients[k]);
        blue.add_product(pixels + 2 * kBlock, coefficients[k]);
    }
    red.store_pixels(output);
    green.store_pixels(output + kBlock);
    blue.store_pixels(output + 2 * kBlock);
}

// The same; reads up to kColumnsSlack bytes too many and writes up to kTileSlack bytes behind the pixel.
void sum_pixels_short(const std::uint8_t* pixels, const std::uint16_t* weights, std::int32_t count,
                      std::uint8_t* output) {
    constexpr std::size_t kParts = (kPixel + ShortLanes::kBytes - 1) / ShortLanes::kBytes;
    static_assert(kParts * ShortLanes::kBytes <= kPixel + kColumnsSlack && kColumnsSlack <= kTileSlack);
    ShortLanes sums[kParts];
    for (std::int32_t k = 0; k < count; k += 2, pixels += 2 * kPixel, ++weights) {
        const std::uint8_t* const next = k + 1 < count ? pixels + kPixel : pixels;
        for (std::size_t part = 0; part < kParts; ++part) {
            const std::size_t offset = part * ShortLanes::kBytes;
            sums[part].add_products(pixels + offset, next + offset, *weights);
        }
    }
    for (std::size_t part = 0; part < kParts; ++part) {
        sums[part].store_pixels(output + part * ShortLanes::kBytes);
    }
}

void resample_columns(const std::uint8_t* const* rows, const AxisSlice& axis, std::uint8_t* columns,
                      std::uint8_t* const* output, std::size_t plane_stride) {
    const auto begin = static_cast<std::size_t>(axis.first[0]);
    const auto end = static_cast<std::size_t>(axis.first[axis.length - 1] + axis.count[axis.length - 1]);
    rows_to_columns(rows, (end - begin) * 3, columns);

    std::uint8_t tile[kBlock * kPixel + kTileSlack] = {};
    for (std::size_t tile_begin = 0; tile_begin < axis.length; tile_begin += kBlock) {
        const std::size_t width = axis.length - tile_begin < kBlock ? axis.length - tile_begin : kBlock;
        for (std::size_t i = 0; i < width; ++i) {
            const std::size_t x = tile_begin + i;
            const std::uint8_t* const pixels =
                columns + (static_cast<std::size_t>(axis.first[x]) - begin) * kPixel;
            const std::uint16_t* const short_weights = axis.short_weights + x * axis.pairs;
            if (*short_weights != kNotShort) {
                sum_pixels_short(pixels, short_weights, axis.count[x], tile + i * kPixel);
            } else {
                sum_pixels(pixels, axis.coefficients + x * axis.taps, axis.count[x], tile + i * kPixel);
            }
        }
        tile_to_rows(tile, output, tile_begin, plane_stride);
    }
}

const std::uint8_t* row_of(const RowRing& ring, std::size_t index) {
    return ring.data + (index & ring.mask) * ring.stride;
}

// `kWidth` blocks side by side, so that finding a row costs little beside the work on it.
template <std::size_t kWidth>
void sum_rows(const RowRing& ring, const RowWeights& weights, std::size_t offset, std::uint8_t* output) {
    Lanes sums[kWidth];
    for (std::size_t k = 0; k < weights.count; ++k) {
        const std::uint8_t* const row = row_of(ring, weights.first + k) + offset;
        for (std::size_t i = 0; i < kWidth; ++i) {
            sums[i].add_product(row + i * kBlock, weights.coefficients[k]);
        }
    }
    for (std::size_t i = 0; i < kWidth; ++i) {
        sums[i].store_pixels(output + offset + i * kBlock);
    }
}

template <std::size_t kWidth>
void sum_rows_short(const RowRing& ring, const RowWeights& weights, std::size_t offset,
                    std::uint8_t* output) {
    ShortLanes sums[kWidth];
    for (std::size_t k = 0; k < weights.count; k += 2) {
        const std::uint8_t* const row = row_of(ring, weights.first + k) + offset;
        const std::uint8_t* const next =
            k + 1 < weights.count ? row_of(ring, weights.first + k + 1) + offset : row;
        for (std::size_t i = 0; i < kWidth; ++i) {
            sums[i].add_products(row + i * ShortLanes::kBytes, next + i * ShortLanes::kBytes,
                                 weights.short_weights[k / 2]);
        }
    }
    for (std::size_t i = 0; i < kWidth; ++i) {
        sums[i].store_pixels(output + offset + i * ShortLanes::kBytes);
    }
}

void resample_rows(const RowRing& ring, const RowWeights& weights, std::size_t size, std::uint8_t* output) {
    constexpr std::size_t kShort = ShortLanes::kBytes;
    std::size_t offset = 0;
    if (*weights.short_weights != kNotShort) {
        for (; offset + 2 * kShort <= size; offset += 2 * kShort) {
            sum_rows_short<2>(ring, weights, offset, output);
        }
        for (; offset + kShort <= size; offset += kShort) {
            sum_rows_short<1>(ring, weights, offset, output);
        }
    }
    for (; offset + 4 * kBlock <= size; offset += 4 * kBlock) {
        sum_rows<4>(ring, weights, offset, output);
    }
    for (; offset < size; offset += kBlock) {
        sum_rows<1>(ring, weights, offset, output);
    }
}

}  // namespace

extern const RowKernels kRowKernels = {resample_columns, resample_rows, kConvertKernels, kSampleKernels,
                                       kStoreKernels};

}  // namespace TUNDISH_ISA
}  // namespace tundish
