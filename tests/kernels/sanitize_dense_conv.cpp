// Drives dense_conv_into over awkward sizes and values, to be built with the sanitizers
// (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree to the bit, with
// each other and with sums that are taken one by one.
#include <climits>
#include <limits>

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
    const auto made_of = [&good](auto change) {
        DenseConvArguments arguments = arguments_of(good);
        change(arguments);
        return [arguments] { DenseConv conv(arguments); };
    };
    using Arguments = DenseConvArguments;
    const auto refuse = [&](auto change, const char* what) {
        sanitize::require_error(made_of(change), what);
    };
    refuse([](Arguments& each) { each.channels = 0; }, "no channels were taken");
    refuse([](Arguments& each) { each.reads = 0; }, "filters of no channels were taken");
    refuse([](Arguments& each) { each.reads = 1 << 18; }, "filters of too many weights were taken");
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

    const DenseConv conv(arguments_of(good));
    std::vector<std::uint8_t> images(4 * 4 * 6), output(2 * 2 * 5);
    std::uint8_t* const into = output.data();
    const std::uint8_t* const from = images.data();
    const auto call = [&conv](std::uint8_t* destination, const std::uint8_t* source, std::int64_t batch,
                              std::int64_t rows, std::int64_t columns) {
        return [=, &conv] { tundish::dense_conv_into(destination, conv, source, batch, rows, columns); };
    };
    sanitize::require_error(call(nullptr, from, 1, 4, 4), "a null destination was taken");
    sanitize::require_error(call(into, nullptr, 1, 4, 4), "null images were taken");
    sanitize::require_error(call(into, from, 0, 4, 4), "no images were taken");
    sanitize::require_error(call(into, from, 1, 2, 4), "an image of too few rows was taken");
    sanitize::require_error(call(into, from, 1, 4, 2), "an image of too few columns was taken");
    sanitize::require_error(call(images.data() + 90, from, 1, 4, 4), "overlapping memory was taken");
}

}  // namespace

int main() {
    run_sizes();
    run_extremes();
    run_errors();
    return sanitize::report();
}
