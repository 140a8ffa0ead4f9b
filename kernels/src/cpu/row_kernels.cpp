// The inner loops of the filters with weights; compiled once per instruction set, into the namespace
// TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations: the linker keeps one copy of an inline
// function, and if that were the copy of this file, code meant for every CPU would hold instructions that
// only some have.
#include "row_kernels.h"

#include "lanes.h"
#include "transpose.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

void resample_columns(const std::uint8_t* const* rows, const AxisSlice& axis, std::uint8_t* columns,
                      std::uint8_t* const* output, std::size_t plane_stride) {
    const auto begin = static_cast<std::size_t>(axis.first[0]);
    const auto end = static_cast<std::size_t>(axis.first[axis.length - 1] + axis.count[axis.length - 1]);
    rows_to_columns(rows, (end - begin) * 3, columns);

    std::uint8_t tiles[3][kBlock * kBlock] = {};
    for (std::size_t tile_begin = 0; tile_begin < axis.length; tile_begin += kBlock) {
        const std::size_t width = axis.length - tile_begin < kBlock ? axis.length - tile_begin : kBlock;
        for (std::size_t i = 0; i < width; ++i) {
            const std::size_t x = tile_begin + i;
            const std::uint8_t* pixels =
                columns + (static_cast<std::size_t>(axis.first[x]) - begin) * 3 * kBlock;
            const std::int32_t* const coefficients = axis.coefficients + x * axis.taps;
            Lanes red, green, blue;
            for (std::int32_t k = 0; k < axis.count[x]; ++k, pixels += 3 * kBlock) {
                red.add_product(pixels, coefficients[k]);
                green.add_product(pixels + kBlock, coefficients[k]);
                blue.add_product(pixels + 2 * kBlock, coefficients[k]);
            }
            red.store_pixels(tiles[0] + i * kBlock);
            green.store_pixels(tiles[1] + i * kBlock);
            blue.store_pixels(tiles[2] + i * kBlock);
        }
        for (std::size_t channel = 0; channel < 3; ++channel) {
            tile_to_rows(tiles[channel], output, channel * plane_stride + tile_begin);
        }
    }
}

// `kWidth` blocks side by side, so that finding a row costs little beside the work on it.
template <std::size_t kWidth>
void resample_blocks(const RowRing& ring, std::size_t first, const std::int32_t* coefficients,
                     std::size_t count, std::size_t offset, std::uint8_t* output) {
    Lanes sums[kWidth];
    for (std::size_t k = 0; k < count; ++k) {
        const std::uint8_t* const row = ring.data + ((first + k) & ring.mask) * ring.stride + offset;
        for (std::size_t i = 0; i < kWidth; ++i) {
            sums[i].add_product(row + i * kBlock, coefficients[k]);
        }
    }
    for (std::size_t i = 0; i < kWidth; ++i) {
        sums[i].store_pixels(output + offset + i * kBlock);
    }
}

void resample_rows(const RowRing& ring, std::size_t first, const std::int32_t* coefficients,
                   std::size_t count, std::size_t size, std::uint8_t* output) {
    std::size_t offset = 0;
    for (; offset + 4 * kBlock <= size; offset += 4 * kBlock) {
        resample_blocks<4>(ring, first, coefficients, count, offset, output);
    }
    for (; offset < size; offset += kBlock) {
        resample_blocks<1>(ring, first, coefficients, count, offset, output);
    }
}

}  // namespace

extern const RowKernels kRowKernels = {resample_columns, resample_rows, kConvertKernels, kSampleKernels,
                                       kStoreKernels};

}  // namespace TUNDISH_ISA
}  // namespace tundish
