// Drives stem_conv_into over awkward sizes and values, to be built with the sanitizers (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree to the bit, with
// each other and with sums that are taken one by one.
#include <algorithm>
#include <cmath>
#include <limits>

#include "sanitize.h"
#include "tundish/stem_conv.h"

namespace {

using sanitize::next_random;
using sanitize::require;
using tundish::ConvSide;
using tundish::Isa;
using tundish::StemConv;
using tundish::StemConvArguments;

constexpr std::int64_t kColours = 3;

// Filters with their arrays.
struct Filters {
    std::int64_t channels;
    ConvSide rows, columns;
    float pixel_scales[kColours];
    std::uint8_t pixel_zeros[kColours];
    std::vector<std::int8_t> weights;
    std::vector<std::int32_t> biases;
    std::vector<float> scales;
    std::uint8_t input_zero, output_zero;

    StemConvArguments arguments() const {
        return {channels,       rows,          columns,       pixel_scales, pixel_zeros,
                weights.data(), biases.data(), scales.data(), input_zero,   output_zero};
    }
};

std::int32_t byte_of(float value, std::uint8_t zero) {
    const float rounded = std::nearbyint(value) + static_cast<float>(zero);
    return std::isnan(value) ? 0 : static_cast<std::int32_t>(std::clamp(rounded, 0.0F, 255.0F));
}

// What the contract says, in the order in which people write it down; `image` is [3, rows, columns].
std::uint8_t value_of(const Filters& filters, const float* image, std::int64_t rows, std::int64_t columns,
                      std::int64_t row, std::int64_t column, std::int64_t channel) {
    std::int64_t sum = filters.biases[static_cast<std::size_t>(channel)];
    for (std::int64_t colour = 0; colour < kColours; ++colour) {
        for (std::int64_t i = 0; i < filters.rows.kernel; ++i) {
            for (std::int64_t j = 0; j < filters.columns.kernel; ++j) {
                const std::int64_t y = row * filters.rows.stride - filters.rows.before + i;
                const std::int64_t x = column * filters.columns.stride - filters.columns.before + j;
                if (y < 0 || y >= rows || x < 0 || x >= columns) {
                    continue;
                }
                const float value = image[(colour * rows + y) * columns + x] / filters.pixel_scales[colour];
                const auto weight = static_cast<std::size_t>(
                    ((channel * kColours + colour) * filters.rows.kernel + i) * filters.columns.kernel + j);
                sum += (byte_of(value, filters.pixel_zeros[colour]) - filters.input_zero) *
                       filters.weights[weight];
            }
        }
    }
    const float scale = filters.scales[static_cast<std::size_t>(channel)];
    return static_cast<std::uint8_t>(
        byte_of(static_cast<float>(static_cast<std::int32_t>(sum)) * scale, filters.output_zero));
}

Filters random_filters(std::int64_t channels, const ConvSide& rows, const ConvSide& columns) {
    Filters filters{channels, rows, columns, {}, {}, {}, {}, {}, 0, 0};
    for (std::int64_t colour = 0; colour < kColours; ++colour) {
        filters.pixel_scales[colour] = 0.01F + static_cast<float>(next_random() % 100) * 1e-4F;
        filters.pixel_zeros[colour] = static_cast<std::uint8_t>(next_random());
    }
    for (std::int64_t i = 0; i < channels * kColours * rows.kernel * columns.kernel; ++i) {
        filters.weights.push_back(static_cast<std::int8_t>(next_random() % 256 - 128));
    }
    for (std::int64_t i = 0; i < channels; ++i) {
        filters.biases.push_back(static_cast<std::int32_t>(next_random() % 20001) - 10000);
        filters.scales.push_back(1e-4F + static_cast<float>(next_random() % 100) * 1e-4F);
    }
    filters.input_zero = static_cast<std::uint8_t>(next_random());
    filters.output_zero = static_cast<std::uint8_t>(next_random());
    return filters;
}

// Whole pixels, values that lie between two of them as if by chance, middles of two, and what no image should
// hold.
float random_value(const Filters& filters, std::int64_t colour) {
    const std::uint32_t kind = next_random() % 64;
    const float step = filters.pixel_scales[colour];
    const auto whole = static_cast<float>(static_cast<std::int32_t>(next_random() % 300)) - 150.0F;
    if (kind == 0) {
        constexpr float kInfinity = std::numeric_limits<float>::infinity();
        constexpr float kSpecial[] = {NAN, kInfinity, -kInfinity, 3e38F, -3e38F, 1e-45F, -0.0F};
        return kSpecial[next_random() % 7];
    }
    if (kind < 8) {
        return (whole + 0.5F) * step;
    }
    return kind < 24 ? (whole + sanitize::next_float()) * step : whole * step;
}

void run(const Filters& filters, std::int64_t batch, std::int64_t rows, std::int64_t columns) {
    const std::int64_t output_rows = filters.rows.outputs(rows),
                       output_columns = filters.columns.outputs(columns);
    if (output_rows < 1 || output_columns < 1) {
        return;
    }
    ++sanitize::cases;
    std::vector<float> images;
    for (std::int64_t i = 0; i < batch * kColours * rows * columns; ++i) {
        images.push_back(random_value(filters, i / (rows * columns) % kColours));
    }
    std::vector<std::uint8_t> expected;
    for (std::int64_t image = 0; image < batch; ++image) {
        const float* const first = images.data() + image * kColours * rows * columns;
        for (std::int64_t row = 0; row < output_rows; ++row) {
            for (std::int64_t column = 0; column < output_columns; ++column) {
                for (std::int64_t channel = 0; channel < filters.channels; ++channel) {
                    expected.push_back(value_of(filters, first, rows, columns, row, column, channel));
                }
            }
        }
    }
    for (const Isa isa : tundish::available_isas()) {
        std::vector<std::uint8_t> output(expected.size());
        tundish::stem_conv_into(output.data(), StemConv(filters.arguments(), isa), images.data(), batch, rows,
                                columns);
        require(output == expected, tundish::isa_name(isa));
    }
    sanitize::add_to_digest(expected);
}

void run_sizes() {
    for (const std::int64_t channels : {1, 8, 16, 24, 32, 40, 64, 100, 113}) {
        for (const std::int64_t kernel : {1, 2, 3, 4, 7}) {
            const std::int64_t stride = 1 + next_random() % 4;
            const ConvSide rows{kernel, stride, 1, next_random() % 4, next_random() % 4};
            const ConvSide columns{kernel, 1 + next_random() % 3, 1, next_random() % 4, next_random() % 4};
            const Filters filters = random_filters(channels, rows, columns);
            const std::int64_t height = 1 + next_random() % 40;
            const std::int64_t batch = 1 + next_random() % 2;
            run(filters, batch, height, 1 + next_random() % 80);
        }
    }
}

// Scales whose reciprocals floats cannot hold, or not whole.
void run_extremes() {
    const ConvSide side{3, 2, 1, 1, 1};
    Filters filters = random_filters(20, side, side);
    for (const float scale : {1e-45F, 1e-39F, 1e-38F, 1e38F, 3e38F}) {
        std::fill_n(filters.pixel_scales, kColours, scale);
        run(filters, 1, 9, 20);
    }
}

void run_errors() {
    const ConvSide side{3, 1, 1, 0, 0};
    const Filters good = random_filters(5, side, side);
    const auto refuse = [&good](auto change, const char* what) {
        StemConvArguments arguments = good.arguments();
        change(arguments);
        sanitize::require_error([&arguments] { StemConv conv(arguments); }, what);
    };
    using Arguments = StemConvArguments;
    refuse([](Arguments& each) { each.channels = 0; }, "no channels were taken");
    refuse([](Arguments& each) { each.weights = nullptr; }, "null weights were taken");
    refuse([](Arguments& each) { each.pixel_scales = nullptr; }, "null scales of pixels were taken");
    refuse([](Arguments& each) { each.pixel_zeros = nullptr; }, "null zeros of pixels were taken");
    refuse([](Arguments& each) { each.rows.dilation = 2; }, "rows with gaps were taken");
    refuse([](Arguments& each) { each.columns.dilation = 2; }, "columns with gaps were taken");
    for (const float scale : {0.0F, -1.0F, NAN, std::numeric_limits<float>::infinity()}) {
        const std::vector<float> scales(kColours, scale);
        refuse([&](Arguments& each) { each.pixel_scales = scales.data(); },
               "a wrong scale of pixels was taken");
    }

    const StemConv conv(good.arguments());
    std::vector<float> images(3 * 4 * 4);
    std::vector<std::uint8_t> output(2 * 2 * 5);
    std::uint8_t* const into = output.data();
    const auto call = [&conv](std::uint8_t* destination, const float* source, std::int64_t rows) {
        return [=, &conv] { tundish::stem_conv_into(destination, conv, source, 1, rows, 4); };
    };
    sanitize::require_error(call(nullptr, images.data(), 4), "a null destination was taken");
    sanitize::require_error(call(into, nullptr, 4), "null images were taken");
    sanitize::require_error(call(into, images.data(), 2), "an image of too few rows was taken");
    sanitize::require_error(call(reinterpret_cast<std::uint8_t*>(images.data() + 47), images.data(), 4),
                            "overlapping memory was taken");
}

}  // namespace

int main() {
    run_sizes();
    run_extremes();
    run_errors();
    return sanitize::report();
}
