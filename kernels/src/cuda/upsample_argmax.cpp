// Checks the arguments of the CUDA form of upsample_argmax_into and launches the kernel.
#include "tundish/cuda/upsample_argmax.h"

#include "../cpu/arguments.h"
#include "../cpu/upsample_argmax_checks.h"
#include "device.h"
#include "upsample_argmax_plan.h"

namespace tundish::cuda {
template <typename Label>
void upsample_argmax_into(const LabelMaps<Label>& destination, const LogitMaps& logits, const Device& device,
                          Stream stream) {
    check_upsample_argmax(destination, logits);
    check_range("the images of logits", logits.batch, 1, kMaximumGridImages);
    const Device::State& state = device.state();
    const CurrentContext current(*state.driver, state.context);
    check_on_device(state, destination.data, "destination");
    check_on_device(state, logits.data, "logits");
    UpsampleArgmaxArguments arguments = plan_upsample_argmax(destination, logits);
    launch(state, state.upsample_argmax, {label_blocks(arguments), static_cast<unsigned>(logits.batch), 1},
           {kLabelThreads, 1, 1}, &arguments, stream, "upsample_argmax cannot be launched");
}

template void upsample_argmax_into(const LabelMaps<std::uint8_t>&, const LogitMaps&, const Device&, Stream);
template void upsample_argmax_into(const LabelMaps<std::int32_t>&, const LogitMaps&, const Device&, Stream);

}  // namespace tundish::cuda
