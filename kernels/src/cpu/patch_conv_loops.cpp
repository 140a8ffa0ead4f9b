// The inner loops of convolutions that read all channels of the image; compiled once per instruction set,
// into the namespace TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations (see row_kernels.cpp).
#include "patch_conv_loops.h"

#include "conv_sums.h"
#include "patch_conv_tiles.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

#if defined(TUNDISH_TILES)

void convolve_patches(const Patches& patches, const PatchBlock* blocks, std::size_t block_count) {
    TileConvolution(patches).run(blocks, block_count);
}

#else

#if defined(TUNDISH_CONV_REGISTERS)

template <typename Register>
struct ConvolvePatches {
    const Patches& patches;
    const PatchBlock& block;
    const std::uint8_t* values;  // of a row of positions
    std::uint8_t* output;

    template <std::size_t kPositions>
    void run(std::size_t position) const {
        ConvSums<Register, kPositions> sums(block.rounding.biases);
        const std::uint8_t* const first = values + position * patches.column_bytes;
        const std::uint8_t* weights = block.weights;
        for (std::size_t i = 0; i < patches.run_count; ++i) {
            for (std::size_t four = 0; four < patches.fours; ++four) {
                sums.add_all(weights, first + patches.runs[i] + four * kFour, patches.column_bytes);
                weights += 4 * kQuarterBytes<Register>;
            }
        }
        sums.store(block.rounding, output + position * patches.channels, patches.channels);
    }
};

void convolve_row(const Patches& patches, const PatchBlock& block, const std::uint8_t* values,
                  std::uint8_t* output) {
    with_registers(block.width, [&](auto kind) {
        for_positions(patches.columns, ConvolvePatches<decltype(kind)>{patches, block, values, output});
    });
}

#else

void convolve_row(const Patches& patches, const PatchBlock& block, const std::uint8_t* values,
                  std::uint8_t* output) {
    for (std::size_t position = 0; position < patches.columns; ++position) {
        PlainSums sums(block.rounding.biases, block.width);
        const std::uint8_t* const first = values + position * patches.column_bytes;
        const std::uint8_t* weights = block.weights;
        for (std::size_t i = 0; i < patches.run_count; ++i) {
            for (std::size_t k = 0; k < patches.fours * kFour; ++k) {
                sums.add(weights, first + patches.runs[i] + k, 0);
                weights += block.width * sizeof(std::int16_t);
            }
        }
        sums.store(block.rounding, output + position * patches.channels);
    }
}

#endif

void convolve_patches(const Patches& patches, const PatchBlock* blocks, std::size_t block_count) {
    for (std::size_t row = 0; row < patches.rows; ++row) {
        const std::uint8_t* const values = patches.values + row * patches.row_bytes;
        std::uint8_t* const output = patches.output + row * patches.columns * patches.channels;
        for (std::size_t i = 0; i < block_count; ++i) {
            convolve_row(patches, blocks[i], values, output + blocks[i].first);
        }
    }
}

#endif

}  // namespace

extern const PatchConvLoops kPatchConvLoops = {convolve_patches};

}  // namespace TUNDISH_ISA
}  // namespace tundish
