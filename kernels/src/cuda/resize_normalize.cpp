// Checks the arguments of the CUDA form of resize_normalize_into and has it launched.
#include "tundish/cuda/resize_normalize.h"

#include "../cpu/image_arguments.h"
#include "resize_normalize_launch.h"

namespace tundish::cuda {

std::size_t resize_normalize_workspace_bytes(const ImageView* images, const Window* windows,
                                             std::size_t count, std::int64_t height, std::int64_t width,
                                             Filter filter) {
    return plan_bytes({images, nullptr, windows, count, height, width, filter});
}

void resize_normalize_into(const Destination& destination, const ImageView* images, const Window* windows,
                           std::size_t count, PixelFormat format, Filter filter,
                           const Normalization& normalization, Workspace& workspace, Stream stream) {
    check_batch("images", count);
    check_resize_normalize(destination, images, windows, count, format, normalization);
    launch_resize_normalize({images, nullptr, windows, count, destination.height, destination.width, filter},
                            format, destination, normalization, workspace, stream);
}

}  // namespace tundish::cuda
