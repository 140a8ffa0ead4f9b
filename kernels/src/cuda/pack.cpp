// Checks the arguments of the CUDA form of pack_into and launches the kernel.
#include "tundish/cuda/pack.h"

#include "../cpu/arguments.h"
#include "../cpu/pack_checks.h"
#include "device.h"
#include "pack_arguments.h"

namespace tundish::cuda {

template <class Integer>
void pack_into(const PackDestination<Integer>& destination, const RaggedTokens& tokens,
               const Padding& padding, const Device& device, Stream stream) {
    const auto rows = static_cast<std::int64_t>(destination.batch);
    const auto length = static_cast<std::int64_t>(destination.length);
    check_range("the rows of the destination", rows, 1, INT32_MAX);
    check_range("the length of the destination", length, 1, INT32_MAX);
    check_range("the number of tokens", static_cast<std::int64_t>(tokens.size), 1, INT64_MAX);
    check_pack(destination, tokens);
    const Device::State& state = device.state();
    const CurrentContext current(*state.driver, state.context);
    check_on_device(state, destination.ids, "destination.ids");
    if (destination.mask != nullptr) {
        check_on_device(state, destination.mask, "destination.mask");
    }
    if (destination.type_ids != nullptr) {
        check_on_device(state, destination.type_ids, "destination.type_ids");
        check_on_device(state, tokens.type_ids, "type_ids");
    }
    check_on_device(state, tokens.ids, "ids");
    check_on_device(state, tokens.starts, "starts");
    PackArguments arguments{
        {destination.ids, destination.mask, destination.type_ids, sizeof(Integer), length},
        rows,
        tokens.ids,
        tokens.type_ids,
        static_cast<std::int64_t>(tokens.size),
        tokens.starts,
        padding.id,
        padding.type_id,
        padding.left};
    const LaunchSize grid{static_cast<unsigned>((rows + kPackRows - 1) / kPackRows), 1, 1};
    launch(state, state.pack, grid, {32 * kPackRows, 1, 1}, &arguments, stream, "pack cannot be launched");
}

template void pack_into(const PackDestination<std::int32_t>&, const RaggedTokens&, const Padding&,
                        const Device&, Stream);
template void pack_into(const PackDestination<std::int64_t>&, const RaggedTokens&, const Padding&,
                        const Device&, Stream);

}  // namespace tundish::cuda
