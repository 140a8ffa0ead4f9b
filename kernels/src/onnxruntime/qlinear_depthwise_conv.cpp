// depthwise_conv as an operator of ONNX Runtime.
#include "operators.h"
#include "quantized_conv.h"
#include "tundish/depthwise_conv.h"

namespace tundish::onnxruntime {
namespace {

struct DepthwiseDefinition {
    static constexpr const char* kName = "QLinearDepthwiseConv";
    static constexpr auto& kInputs = kQLinearConvInputs;
    static constexpr std::size_t kRequired = kInputs.size();
    static constexpr ElementType kOutput = ElementType::uint8;

    static DepthwiseConv make(const Api& api, const KernelInfo* info) {
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
        convolve_channels_last(kernel, context, kernel.made.channels());
    }
};

}  // namespace

const CustomOperator kQLinearDepthwiseConv = custom_operator<DepthwiseDefinition>();

}  // namespace tundish::onnxruntime
