// Checks the arguments of the CUDA form of crop_resize_normalize_into and has it launched.
#include "tundish/cuda/crop_resize_normalize.h"

#include "../cpu/image_arguments.h"
#include "resize_normalize_launch.h"

namespace tundish::cuda {

std::size_t crop_resize_normalize_workspace_bytes(const Region* regions, const Window* windows,
                                                  std::size_t count, std::int64_t height, std::int64_t width,
                                                  Filter filter) {
    return plan_bytes({nullptr, regions, windows, count, height, width, filter});
}

void crop_resize_normalize_into(const Destination& destination, const ImageView& frame, const Region* regions,
                                const Window* windows, std::size_t count, PixelFormat format, Filter filter,
                                const Normalization& normalization, Workspace& workspace, Stream stream) {
    check_batch("regions", count);
    check_crop_resize_normalize(destination, frame, regions, windows, count, format, normalization);
    launch_resize_normalize({&frame, regions, windows, count, destination.height, destination.width, filter},
                            format, destination, normalization, workspace, stream);
}

}  // namespace tundish::cuda
