// Checks the arguments of the CUDA form of softmax_top_k_into and launches the kernel.
#include "tundish/cuda/softmax_top_k.h"

#include "../cpu/softmax_top_k_checks.h"
#include "device.h"
#include "softmax_top_k_arguments.h"

namespace tundish::cuda {

template <typename Index>
void softmax_top_k_into(const TopK<Index>& destination, const LogitsView& logits, ScoreFunction function,
                        const Device& device, Stream stream) {
    check_softmax_top_k(destination, logits);
    const LaunchSize grid = block_for_each_row("the rows of logits", logits.batch);
    const Device::State& state = device.state();
    const CurrentContext current(*state.driver, state.context);
    check_on_device(state, destination.indices, "indices");
    check_on_device(state, destination.scores, "scores");
    check_on_device(state, logits.data, "logits");
    SoftmaxTopKArguments arguments{destination.indices,
                                   sizeof(Index),
                                   destination.scores,
                                   destination.k,
                                   logits.data,
                                   logits.classes,
                                   static_cast<std::int32_t>(function)};
    launch(state, state.softmax_top_k, grid, {kSoftmaxTopKThreads, 1, 1}, &arguments, stream,
           "softmax_top_k cannot be launched");
}

template void softmax_top_k_into(const TopK<std::int32_t>&, const LogitsView&, ScoreFunction, const Device&,
                                 Stream);
template void softmax_top_k_into(const TopK<std::int64_t>&, const LogitsView&, ScoreFunction, const Device&,
                                 Stream);

}  // namespace tundish::cuda
