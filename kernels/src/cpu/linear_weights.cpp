// Checks the arguments of a quantised linear layer and puts its weights in the order of the loops.
#include "linear_weights.h"

#include <algorithm>
#include <cmath>

#include "arguments.h"
#include "conv_filters.h"
#include "memory.h"

namespace tundish {
namespace {

constexpr std::int64_t kMostInputs = 1 << 16;  // products add up to 31 bits, weights to 24

void check_finite(const char* name, const float* values, std::size_t count) {
    check_memory(name, values);
    for (std::size_t i = 0; i < count; ++i) {
        if (!std::isfinite(values[i])) {
            reject(element(name, i) + " must be finite", text(values[i]));
        }
    }
}

// Checks what the runs are made of.
PatchRuns runs_of(const QuantizedLinearArguments& arguments) {
    check_range("inputs", arguments.inputs, 1, kMostInputs);
    check_range("outputs", arguments.outputs, 1, kLargestSize);
    constexpr ConvSide kOne{1, 1, 1, 0, 0};
    return {kOne, kOne, as_size(arguments.inputs)};
}

void check_arrays(const QuantizedLinearArguments& arguments) {
    const std::size_t inputs = as_size(arguments.inputs), outputs = as_size(arguments.outputs);
    check_memory("weights", arguments.weights);
    check_memory("scales", arguments.scales);
    for (std::size_t i = 0; i < outputs; ++i) {
        check_scale(element("scales", i), arguments.scales[i]);
    }
    check_finite("biases", arguments.biases, outputs);
    check_finite("factors", arguments.factors, inputs);
    if (const auto& normalization = arguments.normalization) {
        check_finite("normalization.scales", normalization->scales, outputs);
        check_finite("normalization.biases", normalization->biases, outputs);
        check_scale("normalization.epsilon", normalization->epsilon);
    }
}

}  // namespace

LinearWeights::LinearWeights(const QuantizedLinearArguments& arguments, Isa isa)
    : inputs_(as_size(arguments.inputs)),
      outputs_(as_size(arguments.outputs)),
      runs_(runs_of(arguments)),
      begins_(runs_.offsets(0)),
      loops_((check_isa(isa), linear_loops(isa))),
      activation_(arguments.activation) {
    check_arrays(arguments);
    factors_.assign(arguments.factors, arguments.factors + inputs_);
    if (const auto& normalization = arguments.normalization) {
        normalization_scales_.assign(normalization->scales, normalization->scales + outputs_);
        normalization_biases_.assign(normalization->biases, normalization->biases + outputs_);
        epsilon_ = normalization->epsilon;
    }
    put_weights(arguments.weights, isa);
    std::copy_n(arguments.scales, outputs_, scales_.begin());
    std::copy_n(arguments.biases, outputs_, biases_.begin());
}

void LinearWeights::put_weights(const std::int8_t* weights, Isa isa) {
    const ConvLayout& layout = conv_layout(isa);
    const std::vector<ChannelBlock> blocks = channel_blocks(outputs_, layout.widest);
    const std::size_t places = blocks.back().first + blocks.back().width;
    const std::size_t fours = runs_.count() * runs_.fours(), output_bytes = fours * layout.weight_bytes;
    weights_.resize(places * output_bytes);
    minus_sums_.resize(places);
    scales_.resize(places);
    biases_.resize(places);
    for (const ChannelBlock& block : blocks) {
        std::uint8_t* const to = weights_.data() + block.first * output_bytes;
        const std::size_t valid = std::min(block.width, outputs_ - block.first);
        for (std::size_t input = 0; input < inputs_; ++input) {
            const PatchRuns::Place place = runs_.place(0, 0, input);
            std::uint8_t* const four = to + place.four * block.width * layout.weight_bytes;
            for (std::size_t i = 0; i < valid; ++i) {
                // Outputs keep their order: nothing packs them, as convolutions do.
                const std::int8_t weight = weights[input * outputs_ + block.first + i];
                layout.put_weight(weight, block.width, i, place.index, four);
                minus_sums_[block.first + i] -= weight;
            }
        }
        blocks_.push_back({block.first, block.width, valid, to, minus_sums_.data() + block.first,
                           scales_.data() + block.first, biases_.data() + block.first});
    }
}

std::size_t LinearWeights::row_bytes() const { return (inputs_ + kCacheLine - 1) / kCacheLine * kCacheLine; }

void LinearWeights::round(const float* values, std::size_t rows, const RoundedRows& rounded) const {
    loops_.round(values, factors_.data(), rows, inputs_, rounded);
}

void LinearWeights::multiply(const RoundedRows& rounded, std::size_t rows, std::size_t first_block,
                             std::size_t block_count, float* output) const {
    loops_.multiply(rounded, rows, {begins_.data(), begins_.size(), runs_.fours()},
                    blocks_.data() + first_block, block_count, activation_, output, outputs_);
}

void LinearWeights::normalize(float* values, const float* others, std::size_t rows) const {
    loops_.normalize(values, others, rows, outputs_,
                     {normalization_scales_.data(), normalization_biases_.data(), epsilon_});
}

}  // namespace tundish
