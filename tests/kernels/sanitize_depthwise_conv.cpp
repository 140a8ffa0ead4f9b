// Drives depthwise_conv_into over awkward sizes and values, to be built with the sanitizers
// (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree to the bit, with
// each other and with sums that are taken one by one.
#include <algorithm>
#include <climits>
#include <cmath>
#include <limits>

#include "sanitize.h"
#include "tundish/depthwise_conv.h"

namespace {

using sanitize::next_random;
using sanitize::require;
using tundish::ConvSide;
using tundish::DepthwiseConv;
using tundish::DepthwiseConvArguments;
using tundish::Isa;

// Filters with their arrays.
struct Filters {
    std::int64_t channels;
    ConvSide rows, columns;
    std::vector<std::int8_t> weights;
    std::vector<std::int32_t> biases;
    std::vector<float> scales;
    std::uint8_t input_zero, output_zero;

    DepthwiseConvArguments arguments() const {
        return {channels,      rows,          columns,    weights.data(),
                biases.data(), scales.data(), input_zero, output_zero};
    }
};

// What the contract says, in the order in which people write it down.
std::uint8_t value_of(const Filters& filters, const std::vector<std::uint8_t>& image, std::int64_t rows,
                      std::int64_t columns, std::int64_t row, std::int64_t column, std::int64_t channel) {
    std::int64_t sum = filters.biases[static_cast<std::size_t>(channel)];
    for (std::int64_t i = 0; i < filters.rows.kernel; ++i) {
        for (std::int64_t j = 0; j < filters.columns.kernel; ++j) {
            const std::int64_t y =
                row * filters.rows.stride - filters.rows.before + i * filters.rows.dilation;
            const std::int64_t x =
                column * filters.columns.stride - filters.columns.before + j * filters.columns.dilation;
            if (y < 0 || y >= rows || x < 0 || x >= columns) {
                continue;
            }
            const auto pixel = static_cast<std::size_t>((y * columns + x) * filters.channels + channel);
            const auto weight =
                static_cast<std::size_t>((channel * filters.rows.kernel + i) * filters.columns.kernel + j);
            sum += (image[pixel] - filters.input_zero) * filters.weights[weight];
        }
    }
    const float scaled = static_cast<float>(static_cast<std::int32_t>(sum)) *
                         filters.scales[static_cast<std::size_t>(channel)];
    const float rounded = std::nearbyint(scaled) + static_cast<float>(filters.output_zero);
    return static_cast<std::uint8_t>(std::clamp(rounded, 0.0F, 255.0F));
}

Filters random_filters(std::int64_t channels, const ConvSide& rows, const ConvSide& columns) {
    Filters filters{channels, rows, columns, {}, {}, {}, 0, 0};
    const std::int64_t weights = channels * rows.kernel * columns.kernel;
    for (std::int64_t i = 0; i < weights; ++i) {
        filters.weights.push_back(static_cast<std::int8_t>(next_random() % 256 - 128));
    }
    for (std::int64_t i = 0; i < channels; ++i) {
        filters.biases.push_back(static_cast<std::int32_t>(next_random() % 20001) - 10000);
        // Some channels leave the range of a byte with every sum but 0.
        const bool is_large = next_random() % 16 == 0;
        filters.scales.push_back(is_large ? 1e6F : 1e-4F + static_cast<float>(next_random() % 100) * 1e-4F);
    }
    filters.input_zero = static_cast<std::uint8_t>(next_random());
    filters.output_zero = static_cast<std::uint8_t>(next_random());
    return filters;
}

void run(const Filters& filters, std::int64_t batch, std::int64_t rows, std::int64_t columns) {
    const std::int64_t output_rows = filters.rows.outputs(rows);
    const std::int64_t output_columns = filters.columns.outputs(columns);
    if (output_rows < 1 || output_columns < 1) {
        return;
    }
    ++sanitize::cases;
    std::vector<std::uint8_t> images(static_cast<std::size_t>(batch * rows * columns * filters.channels));
    for (std::uint8_t& value : images) {
        value = static_cast<std::uint8_t>(next_random());
    }
    std::vector<std::uint8_t> expected;
    const std::size_t image_bytes = images.size() / static_cast<std::size_t>(batch);
    for (std::size_t image = 0; image < static_cast<std::size_t>(batch); ++image) {
        const auto begin = images.begin() + static_cast<std::ptrdiff_t>(image * image_bytes);
        const std::vector<std::uint8_t> one(begin, begin + static_cast<std::ptrdiff_t>(image_bytes));
        for (std::int64_t row = 0; row < output_rows; ++row) {
            for (std::int64_t column = 0; column < output_columns; ++column) {
                for (std::int64_t channel = 0; channel < filters.channels; ++channel) {
                    expected.push_back(value_of(filters, one, rows, columns, row, column, channel));
                }
            }
        }
    }
    for (const Isa isa : tundish::available_isas()) {
        std::vector<std::uint8_t> output(expected.size());
        tundish::depthwise_conv_into(output.data(), DepthwiseConv(filters.arguments(), isa), images.data(),
                                     batch, rows, columns);
        require(output == expected, tundish::isa_name(isa));
    }
    sanitize::add_to_digest(expected);
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
        DepthwiseConvArguments arguments = good.arguments();
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

    const DepthwiseConv conv(good.arguments());
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
