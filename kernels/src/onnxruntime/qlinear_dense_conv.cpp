// dense_conv as an operator of ONNX Runtime.
#include "operators.h"
#include "quantized_conv.h"
#include "tundish/dense_conv.h"

namespace tundish::onnxruntime {
namespace {

struct DenseDefinition {
    static constexpr const char* kName = "QLinearDenseConv";
    static constexpr auto& kInputs = kQLinearConvInputs;
    static constexpr std::size_t kRequired = kInputs.size();
    static constexpr ElementType kOutput = ElementType::uint8;

    static DenseConv make(const Api& api, const KernelInfo* info) {
        const ConvConstants constants(api, info, 1, std::nullopt);
        const std::vector<std::int64_t> strides = attribute(api, info, "strides", 2);
        const std::vector<std::int64_t> dilations = attribute(api, info, "dilations", 2);
        const std::vector<std::int64_t> pads = attribute(api, info, "pads", 4);
        return DenseConv(
            {constants.channels(), constants.weights.dimensions[1], constants.rows(strides, dilations, pads),
             constants.columns(strides, dilations, pads), constants.weights.values, constants.biases.values,
             constants.scales.data(), constants.input_zero, constants.output_zero});
    }

    static void compute(const Kernel<DenseConv>& kernel, KernelContext* context) {
        convolve_channels_last(kernel, context, kernel.made.reads());
    }
};

}  // namespace

const CustomOperator kQLinearDenseConv = custom_operator<DenseDefinition>();

}  // namespace tundish::onnxruntime
