// Filters of a quantised convolution in the order in which the loops of an instruction set read them, and the
// checks of what such convolutions are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "aligned_vector.h"
#include "conv_layout.h"
#include "tundish/conv_side.h"
#include "tundish/isa.h"

namespace tundish {

constexpr std::int64_t kLargestSize = 1 << 20;  // no product of two sizes and some bytes overflows

inline std::size_t as_size(std::int64_t value) { return static_cast<std::size_t>(value); }

// Throws std::invalid_argument.
void check_side(const std::string& name, const ConvSide& side);
void check_scale(const std::string& name, float scale);

// Checks the arguments of a call; returns how many positions of output there are in all.
std::size_t check_images(const void* destination, const void* images, const ConvSide& rows_of_kernel,
                         const ConvSide& columns_of_kernel, std::int64_t batch, std::int64_t rows,
                         std::int64_t columns);

// How many parts the rows of output of an image make, of so many rows each.
inline std::size_t parts_of_image(const ConvSide& side, std::int64_t rows, std::size_t rows_of_part) {
    return (as_size(side.outputs(rows)) + rows_of_part - 1) / rows_of_part;
}

// What all convolutions are given for each channel of their output.
struct ConvChannels {
    std::int64_t count;
    const std::int32_t* biases;
    const float* scales;
    std::uint8_t input_zero;
};

// Consecutive channels that the loops take together.
struct ChannelBlock {
    std::size_t first;
    std::size_t width;  // 16, 32 or 64; of the last there may be fewer channels
};

// Blocks of the widest kind, and narrower ones for what is left.
std::vector<ChannelBlock> channel_blocks(std::size_t channels, std::size_t widest);

class ConvFilters {
  public:
    // Throws std::invalid_argument for channels that are not as the convolutions' headers say.
    ConvFilters(const ConvChannels& channels, std::size_t fours, Isa isa);

    // Puts one of four weights; others stay 0.
    void put(std::size_t channel, std::size_t four, std::size_t index, std::int8_t weight);

    // Takes what the input's zero adds to the sums from the biases. Throws std::invalid_argument for sums
    // that 32 bits may not hold.
    void finish(const ConvChannels& channels);

    const std::vector<ChannelBlock>& blocks() const { return blocks_; }
    const std::uint8_t* weights(const ChannelBlock& block) const {
        return weights_.data() + block.first * channel_bytes_;
    }
    ConvRounding rounding(const ChannelBlock& block, std::uint8_t output_zero) const;

  private:
    const ConvLayout& layout_;
    std::size_t channels_;
    std::size_t channel_bytes_;  // of the weights
    std::vector<ChannelBlock> blocks_;
    AlignedVector<std::uint8_t> weights_;
    AlignedVector<std::int32_t> biases_;
    AlignedVector<float> scales_;
    std::vector<std::int64_t> sums_;     // of the weights of each channel
    std::vector<std::int64_t> largest_;  // that products with bytes may add up to
};

}  // namespace tundish
