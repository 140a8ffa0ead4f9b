// quantized_linear as two operators of ONNX Runtime: with and without a normalisation.
#include "tundish/quantized_linear.h"

#include <array>
#include <optional>
#include <string>

#include "custom_operator.h"
#include "operators.h"
#include "tensors.h"

namespace tundish::onnxruntime {
namespace {

// The inputs of both, behind x.
enum LinearInput : std::size_t {
    kWeights = 1,
    kScales,
    kBiases,
    kFactors,
    kOther,
    kGamma,
    kBeta,
    kEpsilon,
    kAllInputs,
};

const float* vector_of(const Api& api, const KernelInfo* info, std::size_t index, const char* name,
                       std::int64_t size) {
    const Constant<float> values = constant<float>(api, info, index, name);
    if (values.size() != size) {
        throw std::invalid_argument(std::string(name) + " must be " + std::to_string(size) +
                                    " numbers, got " + std::to_string(values.size()));
    }
    return values.values;
}

QuantizedLinear make_linear(const Api& api, const KernelInfo* info, bool normalizes) {
    const Constant<std::int8_t> weights = constant<std::int8_t>(api, info, kWeights, "w");
    if (weights.dimensions.size() != 2) {
        throw std::invalid_argument("w must be [inputs, outputs], got " +
                                    std::to_string(weights.dimensions.size()) + " dimensions");
    }
    const std::int64_t inputs = weights.dimensions[0], outputs = weights.dimensions[1];
    const bool is_gelu = attribute(api, info, "gelu", 1)[0] != 0;
    QuantizedLinearArguments arguments{inputs,
                                       outputs,
                                       weights.values,
                                       vector_of(api, info, kScales, "w_scale", outputs),
                                       vector_of(api, info, kBiases, "B", outputs),
                                       vector_of(api, info, kFactors, "factors", inputs),
                                       is_gelu ? Activation::gelu : Activation::none,
                                       std::nullopt};
    if (normalizes) {
        arguments.normalization = RowNormalization{vector_of(api, info, kGamma, "gamma", outputs),
                                                   vector_of(api, info, kBeta, "beta", outputs),
                                                   one<float>(api, info, kEpsilon, "epsilon")};
    }
    return QuantizedLinear(arguments);
}

// A step of a call, for the threads of the session.
struct LinearStep {
    QuantizedLinearCall* call;
    std::size_t step;

    static void part(void* data, std::size_t number) {
        const auto& step = *static_cast<LinearStep*>(data);
        step.call->run_part(step.step, number);
    }
};

void compute_linear(const Kernel<QuantizedLinear>& kernel, KernelContext* context) {
    const Api& api = *kernel.api;
    const QuantizedLinear& linear = kernel.made;
    const Value* input = nullptr;
    check(api.get_input(context, 0, &input));
    std::vector<std::int64_t> shape = dimensions_of(api, input);
    if (shape.empty() || shape.back() != linear.inputs()) {
        throw std::invalid_argument("x must be [.., " + std::to_string(linear.inputs()) + "], got " +
                                    (shape.empty() ? "one number" : std::to_string(shape.back()) + " last"));
    }
    shape.back() = linear.outputs();
    std::int64_t rows = 1;
    for (std::size_t i = 0; i + 1 < shape.size(); ++i) {
        rows *= shape[i];
    }
    const float* added = nullptr;
    if (linear.normalizes()) {
        const Value* other = nullptr;
        check(api.get_input(context, kOther, &other));
        if (dimensions_of(api, other) != shape) {
            throw std::invalid_argument("other must have the shape of the output");
        }
        added = data_of<const float>(api, other);
    }
    Value* output = nullptr;
    check(api.get_output(context, 0, shape.data(), shape.size(), &output));
    if (rows == 0) {
        return;
    }
    QuantizedLinearCall call(linear, data_of<float>(api, output), data_of<const float>(api, input), added,
                             rows);
    for (std::size_t step = 0; step < call.steps(); ++step) {
        LinearStep parts{&call, step};
        check(api.parallel_for(context, LinearStep::part, call.parts(step), &parts));
    }
}

// With a normalisation there are four more inputs.
template <bool kNormalizes>
constexpr auto linear_inputs() {
    std::array<ElementType, kNormalizes ? kAllInputs : kOther> inputs{};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        inputs[i] = i == kWeights ? ElementType::int8 : ElementType::float32;
    }
    return inputs;
}

template <bool kNormalizes>
struct LinearDefinition {
    static constexpr const char* kName = kNormalizes ? "QuantizedLinearNorm" : "QuantizedLinear";
    static constexpr auto kInputs = linear_inputs<kNormalizes>();
    static constexpr std::size_t kRequired = kInputs.size();
    static constexpr ElementType kOutput = ElementType::float32;

    static QuantizedLinear make(const Api& api, const KernelInfo* info) {
        return make_linear(api, info, kNormalizes);
    }
    static void compute(const Kernel<QuantizedLinear>& kernel, KernelContext* context) {
        compute_linear(kernel, context);
    }
};

}  // namespace

const CustomOperator kQuantizedLinear = custom_operator<LinearDefinition<false>>();
const CustomOperator kQuantizedLinearNorm = custom_operator<LinearDefinition<true>>();

}  // namespace tundish::onnxruntime
