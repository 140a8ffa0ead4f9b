// Checks the arguments of the CUDA form of pool_normalize_into and launches the kernel.
#include "tundish/cuda/pool_normalize.h"

#include "../cpu/pool_normalize_checks.h"
#include "device.h"
#include "pool_normalize_arguments.h"

namespace tundish::cuda {

template <typename Mask>
void pool_normalize_into(float* destination, const TokenVectors<Mask>& tokens, Pooling pooling,
                         bool normalize, const Device& device, Stream stream) {
    check_pool_normalize(destination, tokens);
    const LaunchSize grid = block_for_each_row("the rows of tokens", tokens.batch);
    const Device::State& state = device.state();
    const CurrentContext current(*state.driver, state.context);
    check_on_device(state, destination, "destination");
    check_on_device(state, tokens.vectors, "tokens");
    check_on_device(state, tokens.mask, "mask");
    PoolNormalizeArguments arguments{destination,
                                     tokens.vectors,
                                     tokens.mask,
                                     sizeof(Mask),
                                     tokens.tokens,
                                     tokens.width,
                                     static_cast<std::int32_t>(pooling),
                                     normalize,
                                     kSmallestNorm};
    launch(state, state.pool_normalize, grid, {kPoolNormalizeThreads, 1, 1}, &arguments, stream,
           "pool_normalize cannot be launched");
}

template void pool_normalize_into(float*, const TokenVectors<std::uint8_t>&, Pooling, bool, const Device&,
                                  Stream);
template void pool_normalize_into(float*, const TokenVectors<std::int32_t>&, Pooling, bool, const Device&,
                                  Stream);
template void pool_normalize_into(float*, const TokenVectors<std::int64_t>&, Pooling, bool, const Device&,
                                  Stream);

}  // namespace tundish::cuda
