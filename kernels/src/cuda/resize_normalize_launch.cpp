// Checks what a GPU has to do with a call of resize_normalize or crop_resize_normalize, and puts it on the
// stream.
#include "resize_normalize_launch.h"

#include <string>

#include "../cpu/arguments.h"
#include "../cpu/pixel_format.h"
#include "device.h"

namespace tundish::cuda {
namespace {

constexpr std::size_t kMaximumBatch = 65535;  // blocks along z

void check_image_on_device(const Device::State& device, const ImageView& image, PixelFormat format,
                           const std::string& name) {
    for (int i = 0; i < plane_count(format); ++i) {
        check_on_device(device, image.planes[i].data, name);
    }
}

Function kernel_of(const Device::State& device, Filter filter, SourceKind source) {
    if (!is_point(filter)) {
        return device.resize_normalize;
    }
    return source == SourceKind::interleaved ? device.resize_normalize_point
                                             : device.resize_normalize_point_converted;
}

}  // namespace

void check_batch(const char* what, std::size_t count) {
    if (count > kMaximumBatch) {
        reject(std::string(what) + " must be at most " + std::to_string(kMaximumBatch),
               std::to_string(count));
    }
}

void launch_resize_normalize(const ResizeNormalizeBatch& batch, PixelFormat format,
                             const Destination& destination, const Normalization& normalization,
                             Workspace& workspace, Stream stream) {
    const bool has_regions = batch.regions != nullptr;
    Workspace::State& memory = workspace.state();
    const std::size_t needed = plan_bytes(batch);
    if (needed > memory.bytes) {
        reject("workspace must have " + std::to_string(needed) + " bytes for these " +
                   (has_regions ? "regions" : "images"),
               std::to_string(memory.bytes));
    }
    const Device::State& device = *memory.device;
    const Driver& driver = *device.driver;
    const CurrentContext current(driver, device.context);
    check_on_device(device, destination.data, "destination");
    if (has_regions) {
        check_image_on_device(device, *batch.images, format, "frame");
    } else {
        for (std::size_t i = 0; i < batch.count; ++i) {
            check_image_on_device(device, batch.images[i], format, element("images", i));
        }
    }

    check(driver, driver.event_synchronize(memory.copied), "the work before this call failed");
    Plan plan = write_plan(batch, format, destination, normalization, memory.host,
                           reinterpret_cast<const void*>(static_cast<std::uintptr_t>(memory.memory)));
    check(driver, driver.copy_to_device(memory.memory, memory.host, plan.bytes, stream),
          "the tables cannot be copied to the GPU");
    check(driver, driver.event_record(memory.copied, stream), "the copy of the tables cannot be followed");
    launch(device, kernel_of(device, batch.filter, plan.arguments.source.kind), grid_of(batch), kBlockSize,
           &plan.arguments, stream,
           has_regions ? "crop_resize_normalize cannot be launched" : "resize_normalize cannot be launched");
}

}  // namespace tundish::cuda
