// Checks the arguments of the CUDA form of resize_normalize_into, sends the tables and launches the kernel.
#include "tundish/cuda/resize_normalize.h"

#include <string>

#include "../cpu/arguments.h"
#include "../cpu/image_arguments.h"
#include "device.h"
#include "resize_normalize_plan.h"

namespace tundish::cuda {
namespace {

constexpr std::size_t kMaximumBatch = 65535;  // blocks along z

void check_supported(std::size_t count, PixelFormat format) {
    if (count > kMaximumBatch) {
        reject("images must be at most " + std::to_string(kMaximumBatch), std::to_string(count));
    }
    if (format != PixelFormat::rgb && format != PixelFormat::bgr) {
        reject("format must be rgb or bgr on a GPU", "another");
    }
}

}  // namespace

std::size_t resize_normalize_workspace_bytes(const ImageView* images, const Window* windows,
                                             std::size_t count, std::int64_t height, std::int64_t width,
                                             Filter filter) {
    return plan_bytes({images, windows, count, height, width, filter});
}

void resize_normalize_into(const Destination& destination, const ImageView* images, const Window* windows,
                           std::size_t count, PixelFormat format, Filter filter,
                           const Normalization& normalization, Workspace& workspace, Stream stream) {
    check_supported(count, format);
    check_destination(destination, "images", count);
    check_normalization(normalization, destination.format.type);
    for (std::size_t i = 0; i < count; ++i) {
        check_image(images[i], element("images", i), format, destination);
        check_window(windows[i], i);
    }
    const ResizeNormalizeBatch batch{images, windows, count, destination.height, destination.width, filter};
    Workspace::State& memory = workspace.state();
    const std::size_t needed = plan_bytes(batch);
    if (needed > memory.bytes) {
        reject("workspace must have " + std::to_string(needed) + " bytes for these images",
               std::to_string(memory.bytes));
    }
    const Device::State& device = *memory.device;
    const Driver& driver = *device.driver;
    const CurrentContext current(driver, device.context);
    check_on_device(device, destination.data, "destination");
    for (std::size_t i = 0; i < count; ++i) {
        check_on_device(device, images[i].planes[0].data, element("images", i));
    }

    check(driver, driver.event_synchronize(memory.copied), "the work before this call failed");
    Plan plan = write_plan(batch, format, destination, normalization, memory.host,
                           reinterpret_cast<const void*>(static_cast<std::uintptr_t>(memory.memory)));
    check(driver, driver.copy_to_device(memory.memory, memory.host, plan.bytes, stream),
          "the tables cannot be copied to the GPU");
    check(driver, driver.event_record(memory.copied, stream), "the copy of the tables cannot be followed");
    const bool point = filter == Filter::bilinear_point;
    launch(device, point ? device.resize_normalize_point : device.resize_normalize, grid_of(batch),
           kBlockSize, &plan.arguments, stream, "resize_normalize cannot be launched");
}

}  // namespace tundish::cuda
