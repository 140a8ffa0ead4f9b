// Checks the arguments of resize_normalize_into and runs the images one after the other.
#include "tundish/resize_normalize.h"

#include "arguments.h"
#include "image_arguments.h"
#include "image_resampler.h"

namespace tundish {

void resize_normalize_into(const Destination& destination, const ImageView* images, const Window* windows,
                           std::size_t count, PixelFormat format, Filter filter,
                           const Normalization& normalization, Isa isa) {
    check_resize_normalize(destination, images, windows, count, format, normalization);
    check_isa(isa);

    ImageResampler resampler(row_kernels(isa), format, filter, normalization, destination);
    for (std::size_t i = 0; i < count; ++i) {
        resampler.run(images[i], {0, 0, images[i].width, images[i].height}, windows[i], i);
    }
}

}  // namespace tundish
