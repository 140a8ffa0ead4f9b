// Convolutions that the drivers of depthwise_conv and dense_conv compare with sums that are taken one by one.
#pragma once

#include <algorithm>
#include <climits>
#include <cmath>
#include <limits>

#include "sanitize.h"
#include "tundish/conv_side.h"
#include "tundish/isa.h"

namespace sanitize {

using tundish::ConvSide;

// Filters with their arrays: each of one channel of its own, or of all that the image has.
struct Filters {
    bool is_depthwise;
    std::int64_t channels, reads;
    ConvSide rows, columns;
    std::vector<std::int8_t> weights;  // [channels, reads, rows.kernel, columns.kernel]
    std::vector<std::int32_t> biases;
    std::vector<float> scales;
    std::uint8_t input_zero, output_zero;

    std::int64_t image_channels() const { return is_depthwise ? channels : reads; }
};

// What the contract says, in the order in which people write it down.
inline std::uint8_t value_of(const Filters& filters, const std::uint8_t* image, std::int64_t rows,
                             std::int64_t columns, std::int64_t row, std::int64_t column,
                             std::int64_t channel) {
    std::int64_t sum = filters.biases[static_cast<std::size_t>(channel)];
    for (std::int64_t read = 0; read < filters.reads; ++read) {
        for (std::int64_t i = 0; i < filters.rows.kernel; ++i) {
            for (std::int64_t j = 0; j < filters.columns.kernel; ++j) {
                const std::int64_t y =
                    row * filters.rows.stride - filters.rows.before + i * filters.rows.dilation;
                const std::int64_t x =
                    column * filters.columns.stride - filters.columns.before + j * filters.columns.dilation;
                if (y < 0 || y >= rows || x < 0 || x >= columns) {
                    continue;
                }
                const std::int64_t pixel =
                    (y * columns + x) * filters.image_channels() + (filters.is_depthwise ? channel : read);
                const auto weight = static_cast<std::size_t>(
                    ((channel * filters.reads + read) * filters.rows.kernel + i) * filters.columns.kernel +
                    j);
                sum += (image[pixel] - filters.input_zero) * filters.weights[weight];
            }
        }
    }
    const float scaled = static_cast<float>(static_cast<std::int32_t>(sum)) *
                         filters.scales[static_cast<std::size_t>(channel)];
    const float rounded = std::nearbyint(scaled) + static_cast<float>(filters.output_zero);
    return static_cast<std::uint8_t>(std::clamp(rounded, 0.0F, 255.0F));
}

// `reads` is 0 for depthwise ones.
inline Filters random_filters(std::int64_t channels, std::int64_t reads, const ConvSide& rows,
                              const ConvSide& columns) {
    Filters filters{reads == 0, channels, std::max<std::int64_t>(reads, 1), rows, columns, {}, {}, {}, 0, 0};
    const std::int64_t weights = channels * filters.reads * rows.kernel * columns.kernel;
    for (std::int64_t i = 0; i < weights; ++i) {
        filters.weights.push_back(static_cast<std::int8_t>(next_random() % 256 - 128));
    }
    for (std::int64_t i = 0; i < channels; ++i) {
        filters.biases.push_back(static_cast<std::int32_t>(next_random() % 20001) - 10000);
        // Some channels leave the range of a byte with every sum but 0; scaled sums must fit 32 bits.
        const float large = weights / channels > 200 ? 10.0F : 1e6F;
        const bool is_large = next_random() % 16 == 0;
        filters.scales.push_back(is_large ? large : 1e-4F + static_cast<float>(next_random() % 100) * 1e-4F);
    }
    filters.input_zero = static_cast<std::uint8_t>(next_random());
    // Many networks have outputs that are never negative.
    filters.output_zero = static_cast<std::uint8_t>(next_random() % 4 == 0 ? 0 : next_random());
    return filters;
}

// Compares what `convolve(isa, output, images)` writes on each instruction set, if there is any output.
template <typename Convolve>
void run_convolution(const Filters& filters, std::int64_t batch, std::int64_t rows, std::int64_t columns,
                     const Convolve& convolve) {
    const std::int64_t output_rows = filters.rows.outputs(rows);
    const std::int64_t output_columns = filters.columns.outputs(columns);
    if (output_rows < 1 || output_columns < 1) {
        return;
    }
    ++cases;
    const std::int64_t image_bytes = rows * columns * filters.image_channels();
    std::vector<std::uint8_t> images(static_cast<std::size_t>(batch * image_bytes));
    for (std::uint8_t& value : images) {
        value = static_cast<std::uint8_t>(next_random());
    }
    std::vector<std::uint8_t> expected;
    for (std::int64_t image = 0; image < batch; ++image) {
        const std::uint8_t* const first = images.data() + image * image_bytes;
        for (std::int64_t row = 0; row < output_rows; ++row) {
            for (std::int64_t column = 0; column < output_columns; ++column) {
                for (std::int64_t channel = 0; channel < filters.channels; ++channel) {
                    expected.push_back(value_of(filters, first, rows, columns, row, column, channel));
                }
            }
        }
    }
    for (const tundish::Isa isa : tundish::available_isas()) {
        std::vector<std::uint8_t> output(expected.size());
        convolve(isa, output.data(), images.data());
        require(output == expected, tundish::isa_name(isa));
    }
    add_to_digest(expected);
}

// Requires that no Conv is made of changed arguments.
template <typename Conv, typename Arguments, typename Change>
void refuse(Arguments arguments, const Change& change, const char* what) {
    change(arguments);
    require_error([&arguments] { Conv conv(arguments); }, what);
}

// What all kinds of filters refuse, of five channels.
template <typename Conv, typename Arguments>
void run_wrong_arguments(const Arguments& good) {
    const auto refuse = [&good](auto change, const char* what) {
        sanitize::refuse<Conv>(good, change, what);
    };
    refuse([](Arguments& each) { each.channels = 0; }, "no channels were taken");
    refuse([](Arguments& each) { each.weights = nullptr; }, "null weights were taken");
    refuse([](Arguments& each) { each.biases = nullptr; }, "null biases were taken");
    refuse([](Arguments& each) { each.scales = nullptr; }, "null scales were taken");
    refuse([](Arguments& each) { each.rows.kernel = 0; }, "a kernel of no rows was taken");
    refuse([](Arguments& each) { each.columns.stride = 0; }, "a stride of 0 was taken");
    refuse([](Arguments& each) { each.rows.dilation = -1; }, "a negative dilation was taken");
    refuse([](Arguments& each) { each.columns.before = -1; }, "negative padding was taken");
    refuse([](Arguments& each) { each.columns.after = INT64_MAX; }, "endless padding was taken");
    for (const float scale : {0.0F, -1.0F, NAN, std::numeric_limits<float>::infinity()}) {
        const std::vector<float> scales(5, scale);
        refuse([&](Arguments& each) { each.scales = scales.data(); }, "a wrong scale was taken");
    }
    const std::vector<std::int32_t> largest(5, INT_MAX), large(5, 1 << 30);
    const std::vector<float> ones(5, 256.0F);
    refuse([&](Arguments& each) { each.biases = largest.data(); }, "sums beyond 32 bits were taken");
    const auto scaled_too_far = [&](Arguments& each) {
        each.biases = large.data();
        each.scales = ones.data();
    };
    refuse(scaled_too_far, "scaled sums beyond 32 bits were taken");
}

// What all calls refuse, `convolve(output, images, batch, rows, columns)`, with five filters of 3 x 3.
template <typename Convolve>
void run_wrong_calls(std::size_t image_channels, const Convolve& convolve) {
    std::vector<std::uint8_t> images(4 * 4 * image_channels), output(2 * 2 * 5);
    std::uint8_t* const into = output.data();
    const std::uint8_t* const from = images.data();
    const auto refuse = [&](std::uint8_t* destination, const std::uint8_t* source, std::int64_t batch,
                            std::int64_t rows, std::int64_t columns, const char* what) {
        require_error([&] { convolve(destination, source, batch, rows, columns); }, what);
    };
    refuse(nullptr, from, 1, 4, 4, "a null destination was taken");
    refuse(into, nullptr, 1, 4, 4, "null images were taken");
    refuse(into, from, 0, 4, 4, "no images were taken");
    refuse(into, from, 1, 2, 4, "an image of too few rows was taken");
    refuse(into, from, 1, 4, 2, "an image of too few columns was taken");
    refuse(images.data() + images.size() - 1, from, 1, 4, 4, "overlapping memory was taken");
}

}  // namespace sanitize
