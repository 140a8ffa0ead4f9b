// The inner loops of quantised linear layers; compiled once per instruction set, into the namespace
// TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations (see row_kernels.cpp).
#include "linear_loops.h"

#include <math.h>
#include <string.h>

#include "conv_sums.h"
#include "gelu.h"
#include "patch_tiles.h"
#include "patches.h"
#include "sixteen.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

// How the numbers of a row become bytes.
struct RowRounding {
    float step;  // NaN if the row has a number that is not finite
    float per_step;
    float zero;
};

RowRounding rounding_of(const float* values, const float* factors, std::size_t inputs) {
    const Sixteen nothing = Sixteen::of(0.0F);
    Sixteen low = nothing, high = nothing, poison = nothing;
    for_sixteens(inputs, [&](std::size_t i, std::size_t count) {
        const Sixteen value = multiply(load_sixteen(values + i, count), load_sixteen(factors + i, count));
        low = lesser(value, low);
        high = greater(value, high);
        poison = fma(value, nothing, poison);  // NaN from the first that is not finite on
    });
    const float lowest = least(low), step = (greatest(high) - lowest) / 255.0F;
    // A step below the least normal number has no reciprocal: such numbers are 0.
    const float per_step = step >= 0x1p-126F ? 1.0F / step : 0.0F;
    const float zero = rintf(-lowest * per_step);
    return {step + sum(poison), per_step, zero < 255.0F ? zero : 255.0F};
}

void round_row(const float* values, const float* factors, std::size_t inputs, const RowRounding& rounding,
               std::uint8_t* bytes) {
    const Sixteen per_step = Sixteen::of(rounding.per_step), zero = Sixteen::of(rounding.zero);
    const Sixteen lowest = Sixteen::of(0.0F), highest = Sixteen::of(255.0F);
    for_sixteens(inputs, [&](std::size_t i, std::size_t count) {
        const Sixteen value = multiply(load_sixteen(values + i, count), load_sixteen(factors + i, count));
        // The order of the arguments has NaN become 0.
        const Sixteen above = greater(fma(value, per_step, zero), lowest);
        store_bytes(lesser(above, highest), bytes + i);
    });
}

void round_rows(const float* values, const float* factors, std::size_t rows, std::size_t inputs,
                const RoundedRows& rounded) {
    const std::size_t written = (inputs + kSixteen - 1) / kSixteen * kSixteen;
    for (std::size_t row = 0; row < rows; ++row, values += inputs) {
        std::uint8_t* const bytes = rounded.bytes + row * rounded.row_bytes;
        const RowRounding rounding = rounding_of(values, factors, inputs);
        round_row(values, factors, inputs, rounding, bytes);
        memset(bytes + written, 0, rounded.row_bytes - written);
        rounded.steps[row] = rounding.step;
        rounded.zeros[row] = rounding.zero;
    }
}

// Makes numbers of the sums of a block's products.
template <Activation kActivation>
class LinearFinish {
  public:
    LinearFinish(const RoundedRows& rounded, float* output, std::size_t outputs)
        : rounded_(rounded), output_(output), outputs_(outputs) {}

    void operator()(const LinearBlock& block, const std::int32_t* sums, std::size_t position,
                    std::size_t count) const {
        for (std::size_t i = 0; i < count; ++i) {
            const std::int32_t* const of_row = sums + i * block.width;
            float* const to = output_ + (position + i) * outputs_ + block.first;
            const Sixteen step = Sixteen::of(rounded_.steps[position + i]);
            const Sixteen zero = Sixteen::of(rounded_.zeros[position + i]);
            for_sixteens(block.valid, [&](std::size_t lane, std::size_t lanes) {
                store(finished(block, of_row, step, zero, lane), to + lane, lanes);
            });
        }
    }

  private:
    static Sixteen finished(const LinearBlock& block, const std::int32_t* sums, Sixteen step, Sixteen zero,
                            std::size_t lane) {
        const Sixteen sum = fma(zero, Sixteen::load(block.minus_sums + lane), Sixteen::from(sums + lane));
        const Sixteen scale = multiply(step, Sixteen::load(block.scales + lane));
        const Sixteen value = fma(sum, scale, Sixteen::load(block.biases + lane));
        return kActivation == Activation::gelu ? gelu(value) : value;
    }

    const RoundedRows& rounded_;
    float* output_;
    std::size_t outputs_;
};

#if !defined(TUNDISH_TILES)

constexpr std::int32_t kNoBiases[kWidestBlock] = {};

#if defined(TUNDISH_CONV_REGISTERS)

template <typename Register, typename Finish>
struct MultiplyPatches {
    const Patches& patches;
    const LinearBlock& block;
    const Finish& finish;

    template <std::size_t kPositions>
    void run(std::size_t position) const {
        ConvSums<Register, kPositions> sums(kNoBiases);
        const std::uint8_t* const first = patches.values + position * patches.column_bytes;
        const std::uint8_t* weights = block.weights;
        for (std::size_t i = 0; i < patches.run_count; ++i) {
            for (std::size_t four = 0; four < patches.fours; ++four) {
                sums.add_all(weights, first + patches.runs[i] + four * kFour, patches.column_bytes);
                weights += 4 * kQuarterBytes<Register>;
            }
        }
        std::int32_t stored[kPositions * kWidth<Register>];
        sums.store_sums(stored);
        finish(block, stored, position, kPositions);
    }
};

template <typename Finish>
void multiply_block(const Patches& patches, const LinearBlock& block, const Finish& finish) {
    with_registers(block.width, [&](auto kind) {
        for_positions(patches.columns, MultiplyPatches<decltype(kind), Finish>{patches, block, finish});
    });
}

#else

template <typename Finish>
void multiply_block(const Patches& patches, const LinearBlock& block, const Finish& finish) {
    for (std::size_t position = 0; position < patches.columns; ++position) {
        PlainSums sums(kNoBiases, block.width);
        const std::uint8_t* const first = patches.values + position * patches.column_bytes;
        const std::uint8_t* weights = block.weights;
        for (std::size_t i = 0; i < patches.run_count; ++i) {
            for (std::size_t k = 0; k < patches.fours * kFour; ++k) {
                sums.add(weights, first + patches.runs[i] + k, 0);
                weights += block.width * sizeof(std::int16_t);
            }
        }
        finish(block, sums.sums(), position, 1);
    }
}

#endif

#endif

template <Activation kActivation>
void multiply_and_finish(const Patches& patches, const LinearBlock* blocks, std::size_t block_count,
                         const RoundedRows& rounded, float* output, std::size_t outputs) {
    using Finish = LinearFinish<kActivation>;
    const Finish finish(rounded, output, outputs);
#if defined(TUNDISH_TILES)
    TileProducts<LinearBlock, Finish>(patches, finish).run(blocks, block_count);
#else
    for (std::size_t i = 0; i < block_count; ++i) {
        multiply_block(patches, blocks[i], finish);
    }
#endif
}

void multiply_rows(const RoundedRows& rounded, std::size_t rows, const LinearRuns& runs,
                   const LinearBlock* blocks, std::size_t block_count, Activation activation, float* output,
                   std::size_t outputs) {
    const Patches patches{rounded.bytes, 1, 0, rows, rounded.row_bytes, runs.begins, runs.count, runs.fours};
    const auto run = activation == Activation::gelu ? multiply_and_finish<Activation::gelu>
                                                    : multiply_and_finish<Activation::none>;
    run(patches, blocks, block_count, rounded, output, outputs);
}

void normalize_rows(float* values, const float* others, std::size_t rows, std::size_t outputs,
                    const RowNormalization& normalization) {
    const auto all = static_cast<float>(outputs);
    for (std::size_t row = 0; row < rows; ++row, values += outputs, others += outputs) {
        Sixteen sums = Sixteen::of(0.0F), squares = sums;
        for_sixteens(outputs, [&](std::size_t i, std::size_t count) {
            const Sixteen value = add(load_sixteen(values + i, count), load_sixteen(others + i, count));
            store(value, values + i, count);
            sums = add(sums, value);
        });
        const Sixteen mean = Sixteen::of(sum(sums) / all);
        for_sixteens(outputs, [&](std::size_t i, std::size_t count) {
            const Sixteen off = first_of(subtract(load_sixteen(values + i, count), mean), count);
            squares = fma(off, off, squares);
        });
        const Sixteen factor = Sixteen::of(1.0F / sqrtf(sum(squares) / all + normalization.epsilon));
        for_sixteens(outputs, [&](std::size_t i, std::size_t count) {
            const Sixteen off = subtract(load_sixteen(values + i, count), mean);
            const Sixteen scale = multiply(factor, load_sixteen(normalization.scales + i, count));
            store(fma(off, scale, load_sixteen(normalization.biases + i, count)), values + i, count);
        });
    }
}

}  // namespace

extern const LinearLoops kLinearLoops = {round_rows, multiply_rows, normalize_rows};

}  // namespace TUNDISH_ISA
}  // namespace tundish
