// Checks the arguments of crop_resize_normalize_into and runs the regions one after the other.
#include "tundish/crop_resize_normalize.h"

#include "arguments.h"
#include "image_arguments.h"
#include "image_resampler.h"

namespace tundish {

void crop_resize_normalize_into(const Destination& destination, const ImageView& frame, const Region* regions,
                                const Window* windows, std::size_t count, PixelFormat format, Filter filter,
                                const Normalization& normalization, Isa isa) {
    check_crop_resize_normalize(destination, frame, regions, windows, count, format, normalization);
    check_isa(isa);

    ImageResampler resampler(row_kernels(isa), format, filter, normalization, destination);
    for (std::size_t i = 0; i < count; ++i) {
        resampler.run(frame, regions[i], windows[i], i);
    }
}

}  // namespace tundish
