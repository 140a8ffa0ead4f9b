// Resize and normalise many regions of one frame in one pass, on the CPU.
#pragma once

#include <cstddef>

#include "tundish/image.h"
#include "tundish/isa.h"

namespace tundish {

// Does what resize_normalize_into does with the images frame[region]: regions[i] and windows[i] make
// destination[i]; `count` is the length of both. A region is first cropped and then resized: filters do not
// look beyond its edges. Formats with shared chroma and Bayer patterns are converted as the whole frame would
// be, but only the pixels of the regions are, those that two regions share twice.
//
// Throws, blocks and allocates as resize_normalize_into, and refuses a region that is not inside the frame.
void crop_resize_normalize_into(const Destination& destination, const ImageView& frame, const Region* regions,
                                const Window* windows, std::size_t count, PixelFormat format, Filter filter,
                                const Normalization& normalization, Isa isa = selected_isa());

}  // namespace tundish
