// Checks the arguments of the CUDA form of run_length_encode_into and launches the kernels.
#include "tundish/cuda/run_length_encode.h"

#include <string>

#include "../cpu/arguments.h"
#include "../cpu/run_length_encode_checks.h"
#include "device.h"
#include "run_length_encode_arguments.h"

namespace tundish::cuda {
namespace {

std::int64_t divided_up(std::int64_t length, std::int64_t tile) { return (length + tile - 1) / tile; }

}  // namespace

std::size_t run_length_encode_workspace_bytes(std::int64_t batch, std::int64_t height, std::int64_t width) {
    return static_cast<std::size_t>(batch * width * divided_up(height, kWordRows)) * sizeof(std::uint32_t);
}

void run_length_encode_into(const RunLengths& destination, const Masks& masks, Workspace& workspace,
                            Stream stream) {
    check_run_length_encode(destination, masks);
    check_range("the masks of a batch", masks.batch, 1, kMaximumGridImages);
    Workspace::State& memory = workspace.state();
    const std::size_t needed = run_length_encode_workspace_bytes(masks.batch, masks.height, masks.width);
    if (needed > memory.bytes) {
        reject("workspace must have " + std::to_string(needed) + " bytes for these masks",
               std::to_string(memory.bytes));
    }
    const Device::State& device = *memory.device;
    const CurrentContext current(*device.driver, device.context);
    check_on_device(device, destination.text, "text");
    check_on_device(device, destination.lengths, "lengths");
    check_on_device(device, masks.data, "masks");

    const std::int64_t column_words = divided_up(masks.height, kWordRows);
    RunLengthEncodeArguments arguments{
        destination.text,
        destination.lengths,
        destination.capacity,
        masks.data,
        static_cast<std::int32_t>(masks.height),
        static_cast<std::int32_t>(masks.width),
        static_cast<std::int32_t>(column_words),
        reinterpret_cast<std::uint32_t*>(static_cast<std::uintptr_t>(memory.memory))};
    const auto batch = static_cast<unsigned>(masks.batch);
    const char* const what = "run_length_encode cannot be launched";
    launch(device, device.run_length_encode_pack,
           {static_cast<unsigned>(divided_up(masks.width, kPackColumns)),
            static_cast<unsigned>(divided_up(column_words, kPackWords)), batch},
           {kPackColumns, kPackWords, 1}, &arguments, stream, what);
    launch(device, device.run_length_encode, {batch, 1, 1}, {kEncodeThreads, 1, 1}, &arguments, stream, what);
}

}  // namespace tundish::cuda
