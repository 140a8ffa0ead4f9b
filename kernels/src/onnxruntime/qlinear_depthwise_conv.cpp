// depthwise_conv as an operator of ONNX Runtime.
#include "operators.h"
#include "quantized_conv.h"
#include "tundish/depthwise_conv.h"

namespace tundish::onnxruntime {
namespace {

struct DepthwiseDefinition {
    static constexpr const char* kName = "QLinearDepthwiseConv";
    static constexpr std::array kInputs = {
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

    static DepthwiseConv conv(const Api& api, const KernelInfo* info) {
        const ConvConstants constants(api, info, 1, 1);
        const std::vector<std::int64_t> strides = attribute(api, info, "strides", 2);
        const std::vector<std::int64_t> dilations = attribute(api, info, "dilations", 2);
        const std::vector<std::int64_t> pads = attribute(api, info, "pads", 4);
        return DepthwiseConv({constants.channels(), constants.rows(strides, dilations, pads),
                              constants.columns(strides, dilations, pads), constants.weights.values,
                              constants.biases.values, constants.scales.data(), constants.input_zero,
                              constants.output_zero});
    }

    static void compute(const Kernel<DepthwiseConv>& kernel, KernelContext* context) {
        const Value* input = nullptr;
        check(kernel.api->get_input(context, 0, &input));
        const std::vector<std::int64_t> shape = dimensions_of(*kernel.api, input);
        if (shape.size() != 4 || shape[3] != kernel.conv.channels()) {
            throw std::invalid_argument("x must be [batch, rows, columns, " +
                                        std::to_string(kernel.conv.channels()) + "]");
        }
        const auto* const pixels = data_of<const std::uint8_t>(*kernel.api, input);
        convolve<DepthwiseConv, std::uint8_t>(kernel, context, {pixels, shape[0], shape[1], shape[2]});
    }
};

}  // namespace

const CustomOperator kQLinearDepthwiseConv = custom_operator<DepthwiseDefinition>();

}  // namespace tundish::onnxruntime
