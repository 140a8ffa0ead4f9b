// Drives depthwise_conv_into over awkward sizes and values, to be built with the sanitizers
// (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree to the bit, with
// each other and with sums that are taken one by one.
#include <climits>
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
    const auto made_of = [&good](auto change) {
        DepthwiseConvArguments arguments = arguments_of(good);
        change(arguments);
        return [arguments] { DepthwiseConv conv(arguments); };
    };
    using Arguments = DepthwiseConvArguments;
    const auto refuse = [&](auto change, const char* what) {
        sanitize::require_error(made_of(change), what);
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

    const DepthwiseConv conv(arguments_of(good));
    std::vector<std::uint8_t> images(4 * 4 * 5), output(2 * 2 * 5);
    std::uint8_t* const into = output.data();
    const std::uint8_t* const from = images.data();
    const auto call = [&conv](std::uint8_t* destination, const std::uint8_t* source, std::int64_t batch,
                              std::int64_t rows, std::int64_t columns) {
        return [=, &conv] { tundish::depthwise_conv_into(destination, conv, source, batch, rows, columns); };
    };
    sanitize::require_error(call(nullptr, from, 1, 4, 4), "a null destination was taken");
    sanitize::require_error(call(into, nullptr, 1, 4, 4), "null images were taken");
    sanitize::require_error(call(into, from, 0, 4, 4), "no images were taken");
    sanitize::require_error(call(into, from, 1, 2, 4), "an image of too few rows was taken");
    sanitize::require_error(call(into, from, 1, 4, 2), "an image of too few columns was taken");
    sanitize::require_error(call(images.data() + 60, from, 1, 4, 4), "overlapping memory was taken");
}

}  // namespace

int main() {
    run_sizes();
    run_extremes();
    run_errors();
    return sanitize::report();
}
