// The inner loops of convolutions that read all channels of the image; compiled once per instruction set,
// into the namespace TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations (see row_kernels.cpp).
#include "patch_conv_loops.h"

#include "conv_sums.h"
#include "tile_rounding.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

#if defined(TUNDISH_TILES)

template <std::size_t kChannels>
void round_tile(const PatchBlock& block, const std::int32_t* sums, std::size_t count, std::uint8_t* to,
                std::size_t step) {
    TileRounding<kChannels>(block.rounding).round(sums, count, to, step);
}

void convolve_patches(const Patches& patches, const PatchBlock* blocks, std::size_t block_count,
                      const PatchOutput& output) {
    const auto round = [&](const PatchBlock& block, const std::int32_t* sums, std::size_t position,
                           std::size_t count) {
        std::uint8_t* const to = output.bytes + position * output.channels + block.first;
        if (block.width == 64) {
            round_tile<64>(block, sums, count, to, output.channels);
        } else if (block.width == 32) {
            round_tile<32>(block, sums, count, to, output.channels);
        } else {
            round_tile<16>(block, sums, count, to, output.channels);
        }
    };
    TileProducts<PatchBlock, decltype(round)>(patches, round).run(blocks, block_count);
}

#else

#if defined(TUNDISH_CONV_REGISTERS)

template <typename Register>
struct ConvolvePatches {
    const Patches& patches;
    const PatchBlock& block;
    const std::uint8_t* values;  // of a row of positions
    std::uint8_t* output;
    std::size_t channels;  // of the output

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
        sums.store(block.rounding, output + position * channels, channels);
    }
};

void convolve_row(const Patches& patches, const PatchBlock& block, const std::uint8_t* values,
                  std::uint8_t* output, std::size_t channels) {
    with_registers(block.width, [&](auto kind) {
        for_positions(patches.columns,
                      ConvolvePatches<decltype(kind)>{patches, block, values, output, channels});
    });
}

#else

void convolve_row(const Patches& patches, const PatchBlock& block, const std::uint8_t* values,
                  std::uint8_t* output, std::size_t channels) {
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
        sums.store(block.rounding, output + position * channels);
    }
}

#endif

void convolve_patches(const Patches& patches, const PatchBlock* blocks, std::size_t block_count,
                      const PatchOutput& output) {
    for (std::size_t row = 0; row < patches.rows; ++row) {
        const std::uint8_t* const values = patches.values + row * patches.row_bytes;
        std::uint8_t* const bytes = output.bytes + row * patches.columns * output.channels;
        for (std::size_t i = 0; i < block_count; ++i) {
            convolve_row(patches, blocks[i], values, bytes + blocks[i].first, output.channels);
        }
    }
}

#endif

}  // namespace

extern const PatchConvLoops kPatchConvLoops = {convolve_patches};

}  // namespace TUNDISH_ISA
}  // namespace tundish
