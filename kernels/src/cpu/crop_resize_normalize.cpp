// Checks the arguments of crop_resize_normalize_into and runs the regions one after the other.
#include "tundish/crop_resize_normalize.h"

#include "arguments.h"
#include "image_arguments.h"
#include "image_resampler.h"

namespace tundish {
namespace {

void check_region(const Region& region, std::size_t index, const ImageView& frame) {
    const std::string name = element("regions", index);
    check_range(name + ".x", region.x, 0, frame.width - 1);
    check_range(name + ".y", region.y, 0, frame.height - 1);
    check_range(name + ".width", region.width, 1, frame.width - region.x);
    check_range(name + ".height", region.height, 1, frame.height - region.y);
}

}  // namespace

void crop_resize_normalize_into(const Destination& destination, const ImageView& frame, const Region* regions,
                                const Window* windows, std::size_t count, PixelFormat format, Filter filter,
                                const Normalization& normalization, Isa isa) {
    check_destination(destination, "regions", count);
    check_normalization(normalization, destination.format.type);
    check_image(frame, "frame", format, destination);
    for (std::size_t i = 0; i < count; ++i) {
        check_region(regions[i], i, frame);
        check_window(windows[i], i);
    }
    check_isa(isa);

    ImageResampler resampler(row_kernels(isa), format, filter, normalization, destination);
    for (std::size_t i = 0; i < count; ++i) {
        resampler.run(frame, regions[i], windows[i], i);
    }
}

}  // namespace tundish
