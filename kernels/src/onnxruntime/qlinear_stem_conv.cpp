// stem_conv as an operator of ONNX Runtime.
#include "operators.h"
#include "quantized_conv.h"
#include "tundish/stem_conv.h"

namespace tundish::onnxruntime {
namespace {

constexpr std::int64_t kColours = 3;

struct StemDefinition {
    static constexpr const char* kName = "QLinearStemConv";
    static constexpr std::array kInputs = {
        ElementType::float32,  // image
        ElementType::float32,  // image_scale
        ElementType::uint8,    // image_zero_point
        ElementType::float32,  // x_scale
        ElementType::uint8,    // x_zero_point
        ElementType::int8,     // w
        ElementType::float32,  // w_scale
        ElementType::int8,     // w_zero_point
        ElementType::float32,  // y_scale
        ElementType::uint8,    // y_zero_point
        ElementType::int32,    // B
    };
    static constexpr std::size_t kRequired = kInputs.size();
    static constexpr ElementType kOutput = ElementType::uint8;

    static StemConv make(const Api& api, const KernelInfo* info) {
        const std::vector<float> scales = for_channels<float>(api, info, 1, "image_scale", kColours);
        const auto zeros = for_channels<std::uint8_t>(api, info, 2, "image_zero_point", kColours);
        const ConvConstants constants(api, info, 3, kColours);
        const std::vector<std::int64_t> strides = attribute(api, info, "strides", 2), dilations = {1, 1};
        const std::vector<std::int64_t> pads = attribute(api, info, "pads", 4);
        return StemConv({constants.channels(), constants.rows(strides, dilations, pads),
                         constants.columns(strides, dilations, pads), scales.data(), zeros.data(),
                         constants.weights.values, constants.biases.values, constants.scales.data(),
                         constants.input_zero, constants.output_zero});
    }

    static void compute(const Kernel<StemConv>& kernel, KernelContext* context) {
        const Value* input = nullptr;
        check(kernel.api->get_input(context, 0, &input));
        const std::vector<std::int64_t> shape = dimensions_of(*kernel.api, input);
        if (shape.size() != 4 || shape[1] != kColours) {
            throw std::invalid_argument("image must be [batch, 3, rows, columns]");
        }
        const auto* const pixels = data_of<const float>(*kernel.api, input);
        convolve<StemConv, float>(kernel, context, {pixels, shape[0], shape[2], shape[3]});
    }
};

}  // namespace

const CustomOperator kQLinearStemConv = custom_operator<StemDefinition>();

}  // namespace tundish::onnxruntime
