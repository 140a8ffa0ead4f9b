// Checks the arguments of the CUDA form of upsample_argmax_into and launches the kernel.
#include "tundish/cuda/upsample_argmax.h"

#include "../cpu/arguments.h"
#include "../cpu/upsample_argmax_checks.h"
#include "device.h"
#include "tundish/bilinear.h"
#include "upsample_argmax_arguments.h"

namespace tundish::cuda {
namespace {

constexpr std::int64_t kTileRows = kLabelThreadRows * kLabelRows;

unsigned tiles(std::int64_t length, std::int64_t tile) {
    return static_cast<unsigned>((length + tile - 1) / tile);
}

}  // namespace

template <typename Label>
void upsample_argmax_into(const LabelMaps<Label>& destination, const LogitMaps& logits, const Device& device,
                          Stream stream) {
    check_upsample_argmax(destination, logits);
    check_range("the images of logits", logits.batch, 1, kMaximumGridImages);
    const Device::State& state = device.state();
    const CurrentContext current(*state.driver, state.context);
    check_on_device(state, destination.data, "destination");
    check_on_device(state, logits.data, "logits");
    UpsampleArgmaxArguments arguments{destination.data,
                                      sizeof(Label),
                                      static_cast<std::int32_t>(destination.height),
                                      static_cast<std::int32_t>(destination.width),
                                      logits.data,
                                      static_cast<std::int32_t>(logits.classes),
                                      static_cast<std::int32_t>(logits.height),
                                      static_cast<std::int32_t>(logits.width),
                                      bilinear_scale(logits.height, destination.height),
                                      bilinear_scale(logits.width, destination.width)};
    launch(state, state.upsample_argmax,
           {tiles(destination.width, kLabelColumns), tiles(destination.height, kTileRows),
            static_cast<unsigned>(logits.batch)},
           {kLabelColumns, kLabelThreadRows, 1}, &arguments, stream, "upsample_argmax cannot be launched");
}

template void upsample_argmax_into(const LabelMaps<std::uint8_t>&, const LogitMaps&, const Device&, Stream);
template void upsample_argmax_into(const LabelMaps<std::int32_t>&, const LogitMaps&, const Device&, Stream);

}  // namespace tundish::cuda
