// The checks that the image operators share.
#include "image_arguments.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "arguments.h"
#include "output_rows.h"
#include "pixel_format.h"

namespace tundish {
namespace {

// Addresses from the first byte to one past the last.
struct Extent {
    std::uintptr_t begin;
    std::uintptr_t end;
};

Extent extent_of(const Plane& plane, const PlaneSize& size) {
    const std::int64_t last_row = (size.rows - 1) * plane.row_stride;
    const auto data = reinterpret_cast<std::intptr_t>(plane.data);
    return {static_cast<std::uintptr_t>(data + std::min<std::int64_t>(0, last_row)),
            static_cast<std::uintptr_t>(data + std::max<std::int64_t>(0, last_row) + size.bytes)};
}

void check_format(const OutputFormat& format) {
    const auto scale = static_cast<float>(format.scale);
    if (!std::isfinite(scale) || scale <= 0.0F) {
        reject("the quantisation's scale must be a finite float32 above 0", text(format.scale));
    }
    const bool is_integer = format.type == ElementType::uint8 || format.type == ElementType::int8;
    if (!is_integer && (format.scale != 1.0 || format.zero_point != 0)) {
        reject("the output's dtype must be uint8 or int8 to be quantised", "a float");
    }
    if (is_integer) {
        const bool is_signed = format.type == ElementType::int8;
        check_range("the quantisation's zero_point", format.zero_point, is_signed ? -128 : 0,
                    is_signed ? 127 : 255);
    }
}

// `count` is the number of images that the call makes of things named `what`.
void check_destination(const Destination& destination, const char* what, std::size_t count) {
    if (count == 0) {
        reject(
            std::string(what) + " must hold at least one " + std::string(what, std::string(what).size() - 1),
            "none");
    }
    if (destination.data == nullptr) {
        reject("destination must point to memory", "a null pointer");
    }
    if (destination.batch != static_cast<std::int64_t>(count)) {
        reject("destination must have room for " + std::to_string(count) + " images",
               std::to_string(destination.batch));
    }
    check_range("the height of destination", destination.height, 1, kMaximumExtent);
    check_range("the width of destination", destination.width, 1, kMaximumExtent);
    check_format(destination.format);
}

// Also that `destination`, which must have been checked, shares no memory with the image.
void check_image(const ImageView& image, const std::string& name, PixelFormat format,
                 const Destination& destination) {
    check_image_size(name, format, image.height, image.width);
    const std::int64_t size = destination.batch * 3 * destination.height * destination.width;
    const auto begin = reinterpret_cast<std::uintptr_t>(destination.data);
    const std::uintptr_t end =
        begin + static_cast<std::uintptr_t>(size) * element_size(destination.format.type);
    for (int i = 0; i < plane_count(format); ++i) {
        if (image.planes[i].data == nullptr) {
            reject(name + " must point to memory", "a null pointer");
        }
        const Extent source = extent_of(image.planes[i], plane_size(format, i, image.height, image.width));
        if (source.begin < end && begin < source.end) {
            reject("destination must not overlap an image", "memory shared with " + name);
        }
    }
}

void check_window(const Window& window, std::size_t index) {
    const std::string name = element("windows", index);
    check_range(name + ".resized_height", window.resized_height, 1, kMaximumExtent);
    check_range(name + ".resized_width", window.resized_width, 1, kMaximumExtent);
    check_range(name + ".top", window.top, -kMaximumExtent, kMaximumExtent);
    check_range(name + ".left", window.left, -kMaximumExtent, kMaximumExtent);
}

void check_normalization(const Normalization& normalization, ElementType type) {
    if (!std::isfinite(normalization.scale)) {
        reject("scale must be finite", text(normalization.scale));
    }
    for (std::size_t c = 0; c < 3; ++c) {
        check_range(element("pad", c), normalization.pad[c], 0, 255);
        if (!std::isfinite(normalization.mean[c])) {
            reject(element("mean", c) + " must be finite", text(normalization.mean[c]));
        }
        if (!std::isfinite(normalization.std[c]) || normalization.std[c] <= 0.0) {
            reject(element("std", c) + " must be finite and above 0", text(normalization.std[c]));
        }
        const NormalizePixel normalize = make_normalize(normalization, c);
        // Half-way from the greatest float16 to where the next would be.
        const double limit = type == ElementType::float16 ? 65520.0 : HUGE_VAL;
        for (const std::uint8_t pixel : {0, 255}) {
            if (!(std::fabs(static_cast<double>(normalize(pixel))) < limit)) {
                reject(std::string("scale, mean and std must normalise every pixel to a finite ") +
                           (type == ElementType::float16 ? "float16" : "float32") + " in channel " +
                           std::to_string(c),
                       "a value out of range");
            }
        }
    }
}

void check_region(const Region& region, std::size_t index, const ImageView& frame) {
    const std::string name = element("regions", index);
    check_range(name + ".x", region.x, 0, frame.width - 1);
    check_range(name + ".y", region.y, 0, frame.height - 1);
    check_range(name + ".width", region.width, 1, frame.width - region.x);
    check_range(name + ".height", region.height, 1, frame.height - region.y);
}

}  // namespace

void check_resize_normalize(const Destination& destination, const ImageView* images, const Window* windows,
                            std::size_t count, PixelFormat format, const Normalization& normalization) {
    check_destination(destination, "images", count);
    check_normalization(normalization, destination.format.type);
    for (std::size_t i = 0; i < count; ++i) {
        check_image(images[i], element("images", i), format, destination);
        check_window(windows[i], i);
    }
}

void check_crop_resize_normalize(const Destination& destination, const ImageView& frame,
                                 const Region* regions, const Window* windows, std::size_t count,
                                 PixelFormat format, const Normalization& normalization) {
    check_destination(destination, "regions", count);
    check_normalization(normalization, destination.format.type);
    check_image(frame, "frame", format, destination);
    for (std::size_t i = 0; i < count; ++i) {
        check_region(regions[i], i, frame);
        check_window(windows[i], i);
    }
}

}  // namespace tundish
