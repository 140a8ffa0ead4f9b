// How an operator of ours becomes one of ONNX Runtime's.
#pragma once

#include <cstddef>
#include <utility>

#include "interface.h"
#include "tensors.h"

namespace tundish::onnxruntime {

// An operator's kernel: what was made of the constants of a node.
template <typename Made>
struct Kernel {
    const Api* api;
    Made made;
};

// What ONNX Runtime asks of an operator: `Definition` has its name, the types of its inputs and its output,
// how many inputs must be there, `make(api, info)` and `compute(kernel, context)`.
template <typename Definition>
CustomOperator custom_operator() {
    using Made = Kernel<decltype(Definition::make(std::declval<const Api&>(), nullptr))>;
    CustomOperator custom{};
    custom.version = kVersion;
    custom.get_name = [](const CustomOperator*) { return Definition::kName; };
    custom.get_execution_provider = [](const CustomOperator*) -> const char* { return nullptr; };
    custom.get_input_type = [](const CustomOperator*, std::size_t index) {
        return Definition::kInputs[index];
    };
    custom.get_input_count = [](const CustomOperator*) { return Definition::kInputs.size(); };
    custom.get_output_type = [](const CustomOperator*, std::size_t) { return Definition::kOutput; };
    custom.get_output_count = [](const CustomOperator*) -> std::size_t { return 1; };
    custom.get_input_presence = [](const CustomOperator*, std::size_t index) {
        return index < Definition::kRequired ? Presence::required : Presence::optional;
    };
    custom.get_output_presence = [](const CustomOperator*, std::size_t) { return Presence::required; };
    custom.get_input_memory = [](const CustomOperator*, std::size_t) { return 0; };
    custom.get_first_version = [](const CustomOperator*) { return 1; };
    custom.get_last_version = custom.get_first_version;
    custom.create_kernel = [](const CustomOperator*, const Api* api, const KernelInfo* info, void** kernel) {
        return as_status(*api, [&] { *kernel = new Made{api, Definition::make(*api, info)}; });
    };
    custom.compute = [](void* kernel, KernelContext* context) {
        const auto& made = *static_cast<Made*>(kernel);
        return as_status(*made.api, [&] { Definition::compute(made, context); });
    };
    custom.destroy_kernel = [](void* kernel) { delete static_cast<Made*>(kernel); };
    return custom;
}

}  // namespace tundish::onnxruntime
