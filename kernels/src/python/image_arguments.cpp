// Turns Python's arguments into those of the image operators.
#include "image_arguments.h"

#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace tundish {
namespace {

std::int64_t pixels_of(std::int64_t bytes, PixelFormat format) {
    switch (format) {
        case PixelFormat::rgb:
        case PixelFormat::bgr:
            return bytes / 3;
        case PixelFormat::yuyv:
        case PixelFormat::uyvy:
            return bytes / 2;
        default:
            return bytes;
    }
}

}  // namespace

Destination read_destination(const DestinationArray& array, const OutputTuple& output) {
    const OutputFormat format = read_output_format(output);
    const bool planar = format.layout == Layout::chw;
    if (array.shape(planar ? 1 : 3) != 3 || array.itemsize() != element_size(format.type)) {
        throw nb::value_error("destination must be as its output format says");
    }
    return {array.data(), static_cast<std::int64_t>(array.shape(0)),
            static_cast<std::int64_t>(array.shape(planar ? 2 : 1)),
            static_cast<std::int64_t>(array.shape(planar ? 3 : 2)), format};
}

OutputFormat read_output_format(const OutputTuple& output) {
    const auto& [dtype, layout, order, scale, zero_point] = output;
    return {parse_element_type(dtype), parse_layout(layout), parse_channel_order(order), scale, zero_point};
}

ImageView read_image(const PlaneArrays& arrays, PixelFormat format) {
    std::vector<PlaneRows> planes;
    for (const PlaneArray& array : arrays) {
        const auto rows = static_cast<std::int64_t>(array.shape(0));
        const auto bytes = static_cast<std::int64_t>(array.shape(1));
        // NumPy leaves the stride of an axis of length one undefined.
        if (bytes > 1 && array.stride(1) != 1) {
            throw nb::value_error("the bytes of a row of an image must be adjacent");
        }
        planes.push_back({{array.data(), rows > 1 ? array.stride(0) : bytes}, rows, bytes});
    }
    return make_image(planes, format);
}

ImageView make_image(const std::vector<PlaneRows>& planes, PixelFormat format) {
    const std::size_t expected = format == PixelFormat::i420 ? 3 : (format == PixelFormat::nv12 ? 2 : 1);
    if (planes.size() != expected) {
        throw nb::value_error("an image must have the planes of its format");
    }
    ImageView image{planes[0].rows, pixels_of(planes[0].bytes, format), {}};
    for (std::size_t i = 0; i < expected; ++i) {
        const std::int64_t width = format == PixelFormat::nv12 ? planes[i].bytes : 2 * planes[i].bytes;
        if (i > 0 && (2 * planes[i].rows != image.height || width != image.width)) {
            throw nb::value_error("the chroma planes must be half the size");
        }
        image.planes[i] = planes[i].plane;
    }
    return image;
}

Normalization read_normalization(const NormalizationTuple& values) {
    const auto& [scale, mean, std, pad] = values;
    return {scale, {mean[0], mean[1], mean[2]}, {std[0], std[1], std[2]}, {pad[0], pad[1], pad[2]}};
}

std::vector<Region> read_regions(const Quadruples& regions) {
    std::vector<Region> read;
    for (const auto& [x, y, width, height] : regions) {
        read.push_back({x, y, width, height});
    }
    return read;
}

std::vector<Window> read_windows(const Quadruples& windows, std::size_t count) {
    if (windows.size() != count) {
        throw nb::value_error("windows must be as many as images or regions");
    }
    std::vector<Window> read;
    for (const auto& [resized_height, resized_width, top, left] : windows) {
        read.push_back({resized_height, resized_width, top, left});
    }
    return read;
}

}  // namespace tundish
