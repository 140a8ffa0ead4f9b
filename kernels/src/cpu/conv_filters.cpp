// Checks and orders the filters of quantised convolutions.
#include "conv_filters.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "arguments.h"
#include "memory.h"

namespace tundish {
namespace {

constexpr double kLargestScaled = 2147483520.0;  // the largest float32 below 2^31

}  // namespace

std::vector<ChannelBlock> channel_blocks(std::size_t channels, std::size_t widest) {
    std::vector<ChannelBlock> blocks;
    std::size_t width = widest;
    for (std::size_t first = 0; first < channels; first += width) {
        while (width > kLaneChannels && width > channels - first) {
            width /= 2;
        }
        blocks.push_back({first, width});
    }
    return blocks;
}

void check_side(const std::string& name, const ConvSide& side) {
    check_range(name + ".kernel", side.kernel, 1, kLargestSize);
    check_range(name + ".stride", side.stride, 1, kLargestSize);
    check_range(name + ".dilation", side.dilation, 1, kLargestSize);
    check_range(name + ".before", side.before, 0, kLargestSize);
    check_range(name + ".after", side.after, 0, kLargestSize);
}

void check_scale(const std::string& name, float scale) {
    if (!(scale > 0.0F) || !std::isfinite(scale)) {
        reject(name + " must be positive and finite", text(scale));
    }
}

std::size_t check_images(const void* destination, const void* images, const ConvSide& rows_of_kernel,
                         const ConvSide& columns_of_kernel, std::int64_t batch, std::int64_t rows,
                         std::int64_t columns) {
    check_memory("destination", destination);
    check_memory("images", images);
    check_range("batch", batch, 1, kLargestSize);
    check_range("rows", rows, 1, kLargestSize);
    check_range("columns", columns, 1, kLargestSize);
    const std::int64_t output_rows = rows_of_kernel.outputs(rows);
    const std::int64_t output_columns = columns_of_kernel.outputs(columns);
    if (output_rows < 1 || output_columns < 1) {
        reject("images must be as large as the kernel",
               std::to_string(rows) + " x " + std::to_string(columns));
    }
    return as_size(batch) * as_size(output_rows) * as_size(output_columns);
}

ConvFilters::ConvFilters(const ConvChannels& channels, std::size_t fours, Isa isa)
    : layout_((check_isa(isa), conv_layout(isa))) {
    check_range("channels", channels.count, 1, kLargestSize);
    check_memory("biases", channels.biases);
    check_memory("scales", channels.scales);
    channels_ = as_size(channels.count);
    for (std::size_t channel = 0; channel < channels_; ++channel) {
        check_scale(element("scales", channel), channels.scales[channel]);
    }
    blocks_ = channel_blocks(channels_, layout_.widest);
    channel_bytes_ = fours * layout_.weight_bytes;
    const std::size_t places = blocks_.back().first + blocks_.back().width;
    weights_.resize(places * channel_bytes_);
    biases_.resize(places);
    scales_.resize(places);
    sums_.resize(channels_);
    largest_.resize(channels_);
}

void ConvFilters::put(std::size_t channel, std::size_t four, std::size_t index, std::int8_t weight) {
    std::size_t index_of_block = channel / blocks_.front().width;  // the last ones may be narrower
    while (channel >= blocks_[index_of_block].first + blocks_[index_of_block].width) {
        ++index_of_block;
    }
    const ChannelBlock& block = blocks_[index_of_block];
    layout_.put_weight(
        weight, block.width, layout_.place(channel - block.first, block.width), index,
        weights_.data() + block.first * channel_bytes_ + four * block.width * layout_.weight_bytes);
    sums_[channel] += weight;
    largest_[channel] += 255 * std::abs(weight);
}

void ConvFilters::finish(const ConvChannels& channels) {
    for (const ChannelBlock& block : blocks_) {
        const std::size_t end = std::min(block.first + block.width, channels_);
        for (std::size_t channel = block.first; channel < end; ++channel) {
            const std::int64_t bias = channels.biases[channel] - channels.input_zero * sums_[channel];
            const std::int64_t largest = largest_[channel] + std::abs(bias);
            if (largest > INT32_MAX) {
                reject("the sums of channel " + std::to_string(channel) + " must fit 32 bits",
                       std::to_string(largest));
            }
            // Any sum but 0 leaves the range of a byte by a scale of 256, as it does by greater ones.
            const float scale = std::min(channels.scales[channel], 256.0F);
            if (static_cast<double>(largest) * scale > kLargestScaled) {
                reject("the scaled sums of channel " + std::to_string(channel) + " must fit 32 bits",
                       text(static_cast<double>(largest) * scale));
            }
            const std::size_t place = block.first + layout_.place(channel - block.first, block.width);
            biases_[place] = static_cast<std::int32_t>(bias);
            scales_[place] = scale;
        }
    }
}

ConvRounding ConvFilters::rounding(const ChannelBlock& block, std::uint8_t output_zero) const {
    return {biases_.data() + block.first, scales_.data() + block.first, output_zero,
            std::min(block.width, channels_ - block.first)};
}

}  // namespace tundish
