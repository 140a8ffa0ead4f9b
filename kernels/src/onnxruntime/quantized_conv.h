// What the operators of quantised convolutions have in common: their constants, and how a call is done.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "custom_operator.h"
#include "tensors.h"
#include "tundish/conv_side.h"

namespace tundish::onnxruntime {

// One number for each channel; a single one is that of all.
template <typename T>
std::vector<T> for_channels(const Api& api, const KernelInfo* info, std::size_t index, const char* name,
                            std::int64_t channels) {
    const Constant<T> given = constant<T>(api, info, index, name);
    if (given.size() != 1 && given.size() != channels) {
        throw std::invalid_argument(std::string(name) + " must be one number or " + std::to_string(channels) +
                                    ", got " + std::to_string(given.size()));
    }
    std::vector<T> values;
    for (std::int64_t channel = 0; channel < channels; ++channel) {
        values.push_back(given.values[given.size() == 1 ? 0 : channel]);
    }
    return values;
}

// The inputs from x_scale to B, which begin at `first`. `reads` is how many channels a filter has, if that is
// the operator's.
struct ConvConstants {
    Constant<std::int8_t> weights;
    Constant<std::int32_t> biases;
    std::vector<float> scales;
    std::uint8_t input_zero;
    std::uint8_t output_zero;

    ConvConstants(const Api& api, const KernelInfo* info, std::size_t first,
                  std::optional<std::int64_t> reads)
        : weights(constant<std::int8_t>(api, info, first + 2, "w")),
          biases(constant<std::int32_t>(api, info, first + 7, "B")),
          input_zero(one<std::uint8_t>(api, info, first + 1, "x_zero_point")),
          output_zero(one<std::uint8_t>(api, info, first + 6, "y_zero_point")) {
        if (weights.dimensions.size() != 4 || (reads && weights.dimensions[1] != *reads) ||
            weights.size() < 1) {
            throw std::invalid_argument("w must be [channels, " + (reads ? std::to_string(*reads) : "reads") +
                                        ", rows, columns]");
        }
        if (biases.size() != channels()) {
            throw std::invalid_argument("B must be " + std::to_string(channels()) + " numbers, got " +
                                        std::to_string(biases.size()));
        }
        for (const std::int8_t zero :
             for_channels<std::int8_t>(api, info, first + 4, "w_zero_point", channels())) {
            if (zero != 0) {
                throw std::invalid_argument("w_zero_point must be 0, got " + std::to_string(zero));
            }
        }
        const float x = one<float>(api, info, first, "x_scale"),
                    y = one<float>(api, info, first + 5, "y_scale");
        scales = for_channels<float>(api, info, first + 3, "w_scale", channels());
        for (float& scale : scales) {
            scale = x * scale / y;  // in the order of ONNX Runtime's own operator
        }
    }

    std::int64_t channels() const { return weights.dimensions[0]; }

    ConvSide rows(const std::vector<std::int64_t>& strides, const std::vector<std::int64_t>& dilations,
                  const std::vector<std::int64_t>& pads) const {
        return {weights.dimensions[2], strides[0], dilations[0], pads[0], pads[2]};
    }
    ConvSide columns(const std::vector<std::int64_t>& strides, const std::vector<std::int64_t>& dilations,
                     const std::vector<std::int64_t>& pads) const {
        return {weights.dimensions[3], strides[1], dilations[1], pads[1], pads[3]};
    }
};

// A batch of images.
template <typename Pixel>
struct Images {
    const Pixel* pixels;
    std::int64_t batch;
    std::int64_t rows;
    std::int64_t columns;
};

// A call: what all its parts share.
template <typename Conv, typename Pixel>
struct Run {
    const Conv* conv;
    std::uint8_t* output;
    Images<Pixel> images;
    std::atomic<bool> lacked_memory;

    static void part(void* data, std::size_t number) {
        auto* const run = static_cast<Run*>(data);
        const Images<Pixel>& images = run->images;
        try {
            run->conv->run_part(run->output, images.pixels, images.rows, images.columns, number);
        } catch (const std::bad_alloc&) {
            run->lacked_memory = true;
        }
    }
};

// Does a call on the threads of the session.
template <typename Conv, typename Pixel>
void convolve(const Kernel<Conv>& kernel, KernelContext* context, const Images<Pixel>& images) {
    const Conv& conv = kernel.made;
    const std::int64_t rows = conv.rows().outputs(images.rows),
                       columns = conv.columns().outputs(images.columns);
    if (rows < 1 || columns < 1) {
        throw std::invalid_argument("the image must be as large as the kernel, got " +
                                    std::to_string(images.rows) + " x " + std::to_string(images.columns));
    }
    const std::int64_t shape[] = {images.batch, rows, columns, conv.channels()};
    Value* output = nullptr;
    check(kernel.api->get_output(context, 0, shape, 4, &output));
    using OfCall = Run<Conv, Pixel>;
    OfCall run{&conv, data_of<std::uint8_t>(*kernel.api, output), images, {}};
    check(kernel.api->parallel_for(context, OfCall::part, conv.parts(images.batch, images.rows), &run));
    if (run.lacked_memory) {
        throw std::bad_alloc();
    }
}

// The inputs of operators that have those of QLinearConv.
inline constexpr std::array kQLinearConvInputs = {
    ElementType::uint8,    // x
    ElementType::float32,  // x_scale
    ElementType::uint8,    // x_zero_point
    ElementType::int8,     // w
    ElementType::float32,  // w_scale
    ElementType::int8,     // w_zero_point
    ElementType::float32,  // y_scale
    ElementType::uint8,    // y_zero_point
    ElementType::int32,    // B
};

// Does a call of such an operator, with channels last: of so many.
template <typename Conv>
void convolve_channels_last(const Kernel<Conv>& kernel, KernelContext* context, std::int64_t channels) {
    const Value* input = nullptr;
    check(kernel.api->get_input(context, 0, &input));
    const std::vector<std::int64_t> shape = dimensions_of(*kernel.api, input);
    if (shape.size() != 4 || shape[3] != channels) {
        throw std::invalid_argument("x must be [batch, rows, columns, " + std::to_string(channels) + "]");
    }
    const auto* const pixels = data_of<const std::uint8_t>(*kernel.api, input);
    convolve<Conv, std::uint8_t>(kernel, context, {pixels, shape[0], shape[1], shape[2]});
}

}  // namespace tundish::onnxruntime
