// Turns Python's addresses into the arguments of the image operators on a GPU.
#include "image_arguments.h"

namespace tundish {

Destination read_destination(const DestinationAddress& destination, const OutputTuple& output) {
    const auto& [address, batch, height, width] = destination;
    return {reinterpret_cast<void*>(address), batch, height, width, read_output_format(output)};
}

ImageView read_image(const PlaneAddresses& planes, PixelFormat format) {
    std::vector<PlaneRows> read;
    for (const auto& [address, rows, bytes, row_stride] : planes) {
        read.push_back({{reinterpret_cast<const std::uint8_t*>(address), row_stride}, rows, bytes});
    }
    return make_image(read, format);
}

}  // namespace tundish
