// The inner loops of depthwise_conv; compiled once per instruction set, into the namespace TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations (see row_kernels.cpp).
#include "depthwise_conv_loops.h"

#include <string.h>

#include "conv_sums.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

#if defined(TUNDISH_CONV_REGISTERS)

template <typename Register>
void interleave_rows(const SourceRow* rows, std::size_t columns, std::uint8_t* output) {
    const auto load = [rows](std::size_t row, std::size_t column) {
        return Register::load(rows[row].data + column * rows[row].step);
    };
    for (std::size_t column = 0; column < columns; ++column) {
        const auto a = load(0, column), b = load(1, column), c = load(2, column), d = load(3, column);
        const auto low = Register::low8(a, b), high = Register::high8(a, b);
        const auto low_others = Register::low8(c, d), high_others = Register::high8(c, d);
        Register::store(Register::low16(low, low_others), output);
        Register::store(Register::high16(low, low_others), output + kWidth<Register>);
        Register::store(Register::low16(high, high_others), output + 2 * kWidth<Register>);
        Register::store(Register::high16(high, high_others), output + 3 * kWidth<Register>);
        output += 4 * kWidth<Register>;
    }
}

// Of a block that lacks channels.
void interleave_some(const SourceRow* rows, std::size_t valid, std::size_t columns, std::uint8_t* output) {
    for (std::size_t column = 0; column < columns; ++column) {
        for (std::size_t channel = 0; channel < valid; ++channel) {
            for (std::size_t row = 0; row < kFour; ++row) {
                output[channel * kFour + row] = rows[row].data[column * rows[row].step + channel];
            }
        }
        output += kLaneChannels * kFour;
    }
}

template <typename Register>
struct ConvolveDepthwise {
    const DepthwiseRow& row;

    template <std::size_t kPositions>
    void run(std::size_t position) const {
        ConvSums<Register, kPositions> sums(row.rounding.biases);
        const std::uint8_t* const values = row.columns + position * row.step;
        const std::uint8_t* weights = row.weights;
        for (std::size_t i = 0; i < row.tap_count; ++i) {
            sums.add_channels(weights, values + row.taps[i], row.step);
            weights += 4 * kQuarterBytes<Register>;
        }
        sums.store(row.rounding, row.output + position * row.output_step, row.output_step);
    }
};

void interleave_block(const SourceRow* rows, std::size_t width, std::size_t valid, std::size_t columns,
                      std::uint8_t* output) {
    if (valid < width) {
        return interleave_some(rows, valid, columns, output);
    }
    with_registers(width, [=](auto kind) { interleave_rows<decltype(kind)>(rows, columns, output); });
}

void convolve_depthwise(const DepthwiseRow& row, std::size_t width) {
    with_registers(width,
                   [&row](auto kind) { for_positions(row.outputs, ConvolveDepthwise<decltype(kind)>{row}); });
}

#else

// The rows stand one behind the other, so that compilers find vectors in plain loops.
void interleave_block(const SourceRow* rows, std::size_t width, std::size_t valid, std::size_t columns,
                      std::uint8_t* output) {
    for (std::size_t column = 0; column < columns; ++column) {
        for (std::size_t row = 0; row < kFour; ++row) {
            memcpy(output, rows[row].data + column * rows[row].step, valid);
            output += width;
        }
    }
}

void convolve_depthwise(const DepthwiseRow& row, std::size_t width) {
    for (std::size_t position = 0; position < row.outputs; ++position) {
        PlainSums sums(row.rounding.biases, width);
        const std::uint8_t* weights = row.weights;
        for (std::size_t tap = 0; tap < row.tap_count; ++tap) {
            const std::uint8_t* const values = row.columns + row.taps[tap] + position * row.step;
            for (std::size_t k = 0; k < kFour; ++k) {
                sums.add(weights, values + k * width, 1);
                weights += width * sizeof(std::int16_t);
            }
        }
        sums.store(row.rounding, row.output + position * row.output_step);
    }
}

#endif

}  // namespace

extern const DepthwiseConvLoops kDepthwiseConvLoops = {interleave_block, convolve_depthwise};

}  // namespace TUNDISH_ISA
}  // namespace tundish
