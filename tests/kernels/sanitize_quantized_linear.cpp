// Drives quantized_linear_into over awkward sizes and values, to be built with the sanitizers
// (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree to the bit, and
// without activation and normalisation with the contract's formula, taken step by step.
#include <algorithm>
#include <cmath>
#include <limits>

#include "sanitize.h"
#include "tundish/quantized_linear.h"

namespace {

using sanitize::next_float;
using sanitize::next_random;
using tundish::Activation;
using tundish::Isa;
using tundish::QuantizedLinear;
using tundish::QuantizedLinearArguments;
using tundish::RowNormalization;

struct Layer {
    std::int64_t inputs, outputs;
    std::vector<std::int8_t> weights;
    std::vector<float> scales, biases, factors, gamma, beta;

    QuantizedLinearArguments arguments(Activation activation = Activation::none,
                                       bool normalizes = false) const {
        QuantizedLinearArguments made{inputs,        outputs,        weights.data(), scales.data(),
                                      biases.data(), factors.data(), activation,     {}};
        if (normalizes) {
            made.normalization = RowNormalization{gamma.data(), beta.data(), 1e-6F};
        }
        return made;
    }
};

std::vector<float> random_floats(std::int64_t count, float scale) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i) {
        values.push_back(next_float() * scale);
    }
    return values;
}

Layer random_layer(std::int64_t inputs, std::int64_t outputs) {
    Layer layer{inputs, outputs, {}, {}, {}, {}, {}, {}};
    for (std::int64_t i = 0; i < inputs * outputs; ++i) {
        layer.weights.push_back(static_cast<std::int8_t>(next_random() % 256 - 128));
    }
    for (std::int64_t i = 0; i < outputs; ++i) {
        layer.scales.push_back(0.001F + static_cast<float>(next_random() % 100) * 1e-4F);
    }
    layer.biases = random_floats(outputs, 2.0F);
    layer.factors = random_floats(inputs, 3.0F);
    layer.gamma = random_floats(outputs, 2.0F);
    layer.beta = random_floats(outputs, 1.0F);
    return layer;
}

// What the contract says of one row, in the order in which people write it down.
std::vector<float> expected_row(const Layer& layer, const float* input) {
    std::vector<float> values;
    float low = 0.0F, high = 0.0F;
    for (std::int64_t i = 0; i < layer.inputs; ++i) {
        values.push_back(input[i] * layer.factors[static_cast<std::size_t>(i)]);
        low = std::min(low, values.back());
        high = std::max(high, values.back());
    }
    const float step = (high - low) / 255.0F, per_step = step >= 0x1p-126F ? 1.0F / step : 0.0F;
    const float zero = std::min(std::nearbyint(-low * per_step), 255.0F);
    std::vector<float> made;
    for (std::int64_t output = 0; output < layer.outputs; ++output) {
        std::int64_t sum = 0, weights = 0;
        for (std::int64_t i = 0; i < layer.inputs; ++i) {
            const float place = std::fma(values[static_cast<std::size_t>(i)], per_step, zero);
            const auto byte = static_cast<std::int64_t>(std::nearbyint(std::clamp(place, 0.0F, 255.0F)));
            const auto weight = layer.weights[static_cast<std::size_t>(i * layer.outputs + output)];
            sum += byte * weight;
            weights += weight;
        }
        const float exact = std::fma(zero, static_cast<float>(-weights), static_cast<float>(sum));
        made.push_back(std::fma(exact, step * layer.scales[static_cast<std::size_t>(output)],
                                layer.biases[static_cast<std::size_t>(output)]));
    }
    return made;
}

void run(const Layer& layer, std::int64_t rows, const std::vector<float>& input) {
    const std::vector<float> other = random_floats(rows * layer.outputs, 2.0F);
    for (const Activation activation : {Activation::none, Activation::gelu}) {
        for (const bool normalizes : {false, true}) {
            ++sanitize::cases;
            std::vector<unsigned char> first;
            if (activation == Activation::none && !normalizes) {
                std::vector<float> expected;
                for (std::int64_t row = 0; row < rows; ++row) {
                    const std::vector<float> made = expected_row(layer, input.data() + row * layer.inputs);
                    expected.insert(expected.end(), made.begin(), made.end());
                }
                first = sanitize::bytes_of(expected);
            }
            for (const Isa isa : tundish::available_isas()) {
                const QuantizedLinear linear(layer.arguments(activation, normalizes), isa);
                std::vector<float> output(static_cast<std::size_t>(rows * layer.outputs));
                tundish::quantized_linear_into(output.data(), linear, input.data(),
                                               normalizes ? other.data() : nullptr, rows);
                const std::vector<unsigned char> bytes = sanitize::bytes_of(output);
                first = first.empty() ? bytes : first;
                sanitize::require(bytes == first, tundish::isa_name(isa));
            }
            sanitize::add_to_digest(first);
        }
    }
}

void run_sizes() {
    for (const std::int64_t inputs : {1, 3, 16, 17, 60, 64, 65, 130, 384}) {
        for (const std::int64_t outputs : {1, 15, 16, 33, 64, 100, 272}) {
            const Layer layer = random_layer(inputs, outputs);
            const std::int64_t rows = 1 + next_random() % 40;
            run(layer, rows, random_floats(rows * inputs, 5.0F));
        }
    }
    const Layer layer = random_layer(20, 30);
    run(layer, 300, random_floats(300 * 20, 5.0F));  // several parts
}

void run_values() {
    const Layer layer = random_layer(40, 48);
    std::vector<float> input = random_floats(7 * 40, 1.0F);
    std::fill_n(input.begin(), 40, 0.0F);
    std::fill_n(input.begin() + 40, 40, 3.0F);
    std::fill_n(input.begin() + 80, 40, -3.0F);
    std::fill_n(input.begin() + 120, 40, 1e-42F);
    std::transform(input.begin() + 160, input.begin() + 200, input.begin() + 160,
                   [](float each) { return each * 1e30F; });
    run(layer, 7, input);
    Layer extreme = random_layer(1 << 16, 3);
    std::fill(extreme.weights.begin(), extreme.weights.end(), static_cast<std::int8_t>(-128));
    std::fill(extreme.factors.begin(), extreme.factors.end(), 1.0F);
    run(extreme, 1, std::vector<float>(1 << 16, 2.0F));
}

// A row with a number that is not finite gives NaN, and no other does.
void run_not_finite() {
    const Layer layer = random_layer(40, 48);
    for (const float value : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()}) {
        for (const std::size_t place : {40, 61, 79}) {
            std::vector<float> input = random_floats(3 * 40, 1.0F);
            input[place] = value;
            for (const Isa isa : tundish::available_isas()) {
                std::vector<float> output(3 * 48);
                const QuantizedLinear linear(layer.arguments(Activation::gelu), isa);
                tundish::quantized_linear_into(output.data(), linear, input.data(), nullptr, 3);
                for (std::size_t i = 0; i < output.size(); ++i) {
                    sanitize::require(std::isnan(output[i]) == (i / 48 == 1), tundish::isa_name(isa));
                }
            }
        }
    }
}

template <typename Change>
void refuse(const Layer& layer, const Change& change, const char* what) {
    QuantizedLinearArguments arguments = layer.arguments(Activation::none, true);
    change(arguments);
    sanitize::require_error([&arguments] { QuantizedLinear linear(arguments); }, what);
}

void run_errors() {
    using Arguments = QuantizedLinearArguments;
    const Layer layer = random_layer(5, 6);
    refuse(layer, [](Arguments& each) { each.inputs = 0; }, "no inputs were taken");
    refuse(layer, [](Arguments& each) { each.inputs = (1 << 16) + 1; }, "too many inputs were taken");
    refuse(layer, [](Arguments& each) { each.outputs = 0; }, "no outputs were taken");
    refuse(layer, [](Arguments& each) { each.weights = nullptr; }, "no weights were taken");
    refuse(layer, [](Arguments& each) { each.scales = nullptr; }, "no scales were taken");
    refuse(layer, [](Arguments& each) { each.biases = nullptr; }, "no biases were taken");
    refuse(layer, [](Arguments& each) { each.factors = nullptr; }, "no factors were taken");
    refuse(layer, [](Arguments& each) { each.normalization->epsilon = 0.0F; }, "an epsilon of 0 was taken");
    refuse(layer, [](Arguments& each) { each.normalization->scales = nullptr; }, "no gamma was taken");
    const std::vector<float> wrong(6, std::nanf(""));
    refuse(layer, [&wrong](Arguments& each) { each.scales = wrong.data(); }, "scales of NaN were taken");
    refuse(layer, [&wrong](Arguments& each) { each.biases = wrong.data(); }, "biases of NaN were taken");

    const QuantizedLinear plain(layer.arguments()), norm(layer.arguments(Activation::none, true));
    std::vector<float> output(12), input(10), other(12);
    const auto call = [&](const QuantizedLinear& linear, float* to, const float* from, const float* added,
                          std::int64_t rows, const char* what) {
        const auto into = [&] { tundish::quantized_linear_into(to, linear, from, added, rows); };
        sanitize::require_error(into, what);
    };
    call(plain, nullptr, input.data(), nullptr, 2, "no destination was taken");
    call(plain, output.data(), nullptr, nullptr, 2, "no input was taken");
    call(plain, output.data(), input.data(), nullptr, 0, "no rows were taken");
    call(plain, output.data(), input.data(), other.data(), 2, "another input was taken");
    call(norm, output.data(), input.data(), nullptr, 2, "no other input was taken");
    call(norm, output.data(), input.data(), output.data() + 6, 1 + 1, "shared memory was taken");
    call(plain, input.data(), input.data(), nullptr, 1, "shared memory was taken");
}

}  // namespace

int main() {
    run_sizes();
    run_values();
    run_not_finite();
    run_errors();
    return sanitize::report();
}
