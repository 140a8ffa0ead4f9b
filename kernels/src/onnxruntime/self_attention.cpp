// self_attention as an operator of ONNX Runtime.
#include "tundish/self_attention.h"

#include <array>
#include <atomic>
#include <new>
#include <string>

#include "custom_operator.h"
#include "operators.h"
#include "tensors.h"

namespace tundish::onnxruntime {
namespace {

enum AttentionInput : std::size_t { kProjections, kScale, kMask };

struct Attention {
    std::int64_t heads;
    float scale;
    Isa isa;
};

// A call: what all its parts share.
struct AttentionRun {
    SelfAttentionArguments arguments;
    Isa isa;
    std::atomic<bool> lacked_memory;

    static void part(void* data, std::size_t number) {
        auto* const run = static_cast<AttentionRun*>(data);
        try {
            run_self_attention_part(run->arguments, number, run->isa);
        } catch (const std::bad_alloc&) {
            run->lacked_memory = true;
        }
    }
};

struct AttentionDefinition {
    static constexpr const char* kName = "SelfAttention";
    static constexpr std::array kInputs = {
        ElementType::float32,  // projections
        ElementType::float32,  // scale
        ElementType::int32,    // mask
    };
    static constexpr std::size_t kRequired = kMask;
    static constexpr ElementType kOutput = ElementType::float32;

    static Attention make(const Api& api, const KernelInfo* info) {
        const std::int64_t heads = attribute(api, info, "heads", 1)[0];
        if (heads < 1) {
            throw std::invalid_argument("heads must be 1 or more, got " + std::to_string(heads));
        }
        return {heads, one<float>(api, info, kScale, "scale"), selected_isa()};
    }

    static void compute(const Kernel<Attention>& kernel, KernelContext* context) {
        const Api& api = *kernel.api;
        const Attention& attention = kernel.made;
        const Value *projections = nullptr, *mask = nullptr;
        check(api.get_input(context, kProjections, &projections));
        check(api.get_input(context, kMask, &mask));
        const std::vector<std::int64_t> given = dimensions_of(api, projections);
        if (given.size() != 3 || given[2] < 1 || given[2] % (3 * attention.heads) != 0) {
            throw std::invalid_argument("projections must be [batch, tokens, a multiple of " +
                                        std::to_string(3 * attention.heads) + "]");
        }
        if (mask != nullptr && dimensions_of(api, mask) != std::vector<std::int64_t>{given[0], given[1]}) {
            throw std::invalid_argument("mask must be [" + std::to_string(given[0]) + ", " +
                                        std::to_string(given[1]) + "], as projections are");
        }
        const std::int64_t shape[] = {given[0], given[1], given[2] / 3};
        Value* output = nullptr;
        check(api.get_output(context, 0, shape, 3, &output));
        if (given[0] == 0 || given[1] == 0) {
            return;
        }
        AttentionRun run{{data_of<float>(api, output),
                          data_of<const float>(api, projections),
                          mask == nullptr ? nullptr : data_of<const std::int32_t>(api, mask),
                          {given[0], given[1], attention.heads, shape[2] / attention.heads},
                          attention.scale},
                         attention.isa,
                         {}};
        check(api.parallel_for(context, AttentionRun::part, self_attention_parts(run.arguments.shape), &run));
        if (run.lacked_memory) {
            throw std::bad_alloc();
        }
    }
};

}  // namespace

const CustomOperator kSelfAttention = custom_operator<AttentionDefinition>();

}  // namespace tundish::onnxruntime
