// Drives depthwise_conv_into over awkward sizes and values, to be built with the sanitizers
// (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree to the bit, with
// each other and with sums that are taken one by one.
#include <limits>

#include "sanitize_convolutions.h"
#include "tundish/depthwise_conv.h"

namespace {

using sanitize::Filters;
using sanitize::next_random;
using tundish::ConvSide;
using tundish::DepthwiseConv;
using tundish::DepthwiseConvArguments;
using tundish::Isa;

DepthwiseConvArguments arguments_of(const Filters& filters) {
    return {filters.channels,      filters.rows,          filters.columns,    filters.weights.data(),
            filters.biases.data(), filters.scales.data(), filters.input_zero, filters.output_zero};
}

Filters random_filters(std::int64_t channels, const ConvSide& rows, const ConvSide& columns) {
    return sanitize::random_filters(channels, 0, rows, columns);
}

void run(const Filters& filters, std::int64_t batch, std::int64_t rows, std::int64_t columns) {
    const auto convolve = [&](Isa isa, std::uint8_t* output, const std::uint8_t* images) {
        const DepthwiseConv conv(arguments_of(filters), isa);
        tundish::depthwise_conv_into(output, conv, images, batch, rows, columns);
    };
    sanitize::run_convolution(filters, batch, rows, columns, convolve);
}

void run_sizes() {
    for (const std::int64_t channels : {1, 7, 8, 15, 16, 17, 31, 32, 40, 48, 64, 72, 96, 129}) {
        for (const std::int64_t kernel : {1, 2, 3, 5, 9}) {
            const std::int64_t stride = 1 + next_random() % 3;
            const std::int64_t dilation = 1 + next_random() % 2;
            const ConvSide rows{kernel, stride, dilation, next_random() % 4, next_random() % 4};
            const ConvSide columns{kernel, 1 + next_random() % 3, 1, next_random() % 4, next_random() % 4};
            const Filters filters = random_filters(channels, rows, columns);
            const std::int64_t height = 1 + next_random() % 40;
            const std::int64_t batch = 1 + next_random() % 2;
            run(filters, batch, height, 1 + next_random() % 12);
        }
    }
    const ConvSide rows{3, 1, 1, 1, 1}, columns{1, 1, 1, 0, 0};
    run(random_filters(16, rows, columns), 1, 300, 3);  // several parts
}

void run_extremes() {
    const ConvSide side{3, 1, 1, 1, 1};
    Filters filters = random_filters(33, side, side);
    for (const std::int8_t weight : {-128, 127}) {
        std::fill(filters.weights.begin(), filters.weights.end(), weight);
        for (const std::int32_t bias : {-1000000000, 1000000000}) {
            std::fill(filters.biases.begin(), filters.biases.end(), bias);
            std::fill(filters.scales.begin(), filters.scales.end(), 1e-7F);
            run(filters, 1, 4, 5);
        }
        std::fill(filters.biases.begin(), filters.biases.end(), 0);
        std::fill(filters.scales.begin(), filters.scales.end(), std::numeric_limits<float>::max());
        run(filters, 1, 4, 5);
    }
}

void run_errors() {
    const ConvSide side{3, 1, 1, 0, 0};
    const Filters good = random_filters(5, side, side);
    sanitize::run_wrong_arguments<DepthwiseConv>(arguments_of(good));
    const DepthwiseConv conv(arguments_of(good));
    sanitize::run_wrong_calls(5, [&conv](std::uint8_t* output, const std::uint8_t* images, std::int64_t batch,
                                         std::int64_t rows, std::int64_t columns) {
        tundish::depthwise_conv_into(output, conv, images, batch, rows, columns);
    });
}

}  // namespace

int main() {
    run_sizes();
    run_extremes();
    run_errors();
    return sanitize::report();
}
