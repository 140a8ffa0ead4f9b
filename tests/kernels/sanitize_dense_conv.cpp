// Drives dense_conv_into over awkward sizes and values, to be built with the sanitizers
// (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree to the bit, with
// each other and with sums that are taken one by one.
#include "sanitize_convolutions.h"
#include "tundish/dense_conv.h"

namespace {

using sanitize::Filters;
using sanitize::next_random;
using sanitize::random_filters;
using tundish::ConvSide;
using tundish::DenseConv;
using tundish::DenseConvArguments;
using tundish::Isa;

DenseConvArguments arguments_of(const Filters& filters) {
    return {filters.channels,      filters.reads,          filters.rows,
            filters.columns,       filters.weights.data(), filters.biases.data(),
            filters.scales.data(), filters.input_zero,     filters.output_zero};
}

void run(const Filters& filters, std::int64_t batch, std::int64_t rows, std::int64_t columns) {
    const auto convolve = [&](Isa isa, std::uint8_t* output, const std::uint8_t* images) {
        const DenseConv conv(arguments_of(filters), isa);
        tundish::dense_conv_into(output, conv, images, batch, rows, columns);
    };
    sanitize::run_convolution(filters, batch, rows, columns, convolve);
}

// With kernels and paddings, and without: positions are then read in the image, and those of all rows as one.
void run_sizes() {
    for (const std::int64_t channels : {1, 7, 16, 17, 24, 32, 40, 64, 72, 96, 129}) {
        for (const std::int64_t kernel : {1, 1, 2, 3, 5}) {
            const std::int64_t reads = 1 + next_random() % (kernel > 3 ? 40 : 150);
            const bool is_padded = next_random() % 2 == 0;
            const auto side = [&] {
                const std::int64_t stride = 1 + next_random() % 3;
                const std::int64_t dilation = 1 + next_random() % 2;
                const std::int64_t before = is_padded ? next_random() % 4 : 0;
                return ConvSide{kernel, stride, dilation, before, is_padded ? next_random() % 4 : 0};
            };
            const ConvSide rows = side();
            const ConvSide columns = side();
            const Filters filters = random_filters(channels, reads, rows, columns);
            const std::int64_t height = 1 + next_random() % 20;
            const std::int64_t batch = 1 + next_random() % 2;
            run(filters, batch, height, 1 + next_random() % 40);
        }
    }
    const ConvSide one{1, 1, 1, 0, 0}, three{3, 1, 1, 1, 1};
    for (const std::int64_t reads : {4, 16, 24, 64, 144, 192}) {
        run(random_filters(80, reads, one, one), 2, 9, 14);
    }
    run(random_filters(16, 20, three, three), 1, 30, 33);  // several parts, of several groups of tiles
    run(random_filters(200, 260, three, one), 1, 7, 7);
}

void run_extremes() {
    const ConvSide side{3, 1, 1, 1, 1};
    Filters filters = random_filters(33, 30, side, side);
    for (const std::int8_t weight : {-128, 127}) {
        std::fill(filters.weights.begin(), filters.weights.end(), weight);
        for (const std::int32_t bias : {-1000000000, 1000000000}) {
            std::fill(filters.biases.begin(), filters.biases.end(), bias);
            std::fill(filters.scales.begin(), filters.scales.end(), 1e-7F);
            run(filters, 1, 4, 5);
        }
        std::fill(filters.biases.begin(), filters.biases.end(), 0);
        std::fill(filters.scales.begin(), filters.scales.end(), 100.0F);
        run(filters, 1, 4, 5);
    }
}

void run_errors() {
    const ConvSide side{3, 1, 1, 0, 0};
    const Filters good = random_filters(5, 6, side, side);
    sanitize::run_wrong_arguments<DenseConv>(arguments_of(good));
    using Arguments = DenseConvArguments;
    sanitize::refuse<DenseConv>(
        arguments_of(good), [](Arguments& each) { each.reads = 0; }, "filters of no channels were taken");
    sanitize::refuse<DenseConv>(
        arguments_of(good), [](Arguments& each) { each.reads = 1 << 18; },
        "filters of too many weights were taken");
    const DenseConv conv(arguments_of(good));
    sanitize::run_wrong_calls(6, [&conv](std::uint8_t* output, const std::uint8_t* images, std::int64_t batch,
                                         std::int64_t rows, std::int64_t columns) {
        tundish::dense_conv_into(output, conv, images, batch, rows, columns);
    });
}

}  // namespace

int main() {
    run_sizes();
    run_extremes();
    run_errors();
    return sanitize::report();
}
