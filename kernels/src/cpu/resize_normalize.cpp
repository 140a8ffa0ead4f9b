// Checks the arguments of resize_normalize_into and runs the images one after the other.
#include "tundish/resize_normalize.h"

#include <algorithm>
#include <cmath>

#include "arguments.h"
#include "image_resampler.h"
#include "resize_normalize_checks.h"

namespace tundish {
namespace {

// Addresses from the first byte to one past the last.
struct Extent {
    std::uintptr_t begin;
    std::uintptr_t end;
};

Extent extent_of(const ImageView& image) {
    const std::int64_t last_row = (image.height - 1) * image.row_stride;
    const auto data = reinterpret_cast<std::intptr_t>(image.data);
    return {static_cast<std::uintptr_t>(data + std::min<std::int64_t>(0, last_row)),
            static_cast<std::uintptr_t>(data + std::max<std::int64_t>(0, last_row) + 3 * image.width)};
}

void check_destination(const Destination& destination, std::size_t count) {
    if (count == 0) {
        reject("images must hold at least one image", "none");
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
}

void check_image(const ImageView& image, std::size_t index, const Destination& destination) {
    const std::string name = element("images", index);
    if (image.data == nullptr) {
        reject(name + " must point to memory", "a null pointer");
    }
    check_range("the height of " + name, image.height, 1, kMaximumExtent);
    check_range("the width of " + name, image.width, 1, kMaximumExtent);

    const std::int64_t size = destination.batch * 3 * destination.height * destination.width;
    const auto begin = reinterpret_cast<std::uintptr_t>(destination.data);
    const Extent source = extent_of(image);
    if (source.begin < begin + static_cast<std::uintptr_t>(size) * sizeof(float) && begin < source.end) {
        reject("destination must not overlap an image", "memory shared with " + name);
    }
}

void check_window(const Window& window, std::size_t index) {
    const std::string name = element("windows", index);
    check_range(name + ".resized_height", window.resized_height, 1, kMaximumExtent);
    check_range(name + ".resized_width", window.resized_width, 1, kMaximumExtent);
    check_range(name + ".top", window.top, -kMaximumExtent, kMaximumExtent);
    check_range(name + ".left", window.left, -kMaximumExtent, kMaximumExtent);
}

void check_normalization(const Normalization& normalization) {
    check_range("pad", normalization.pad, 0, 255);
    if (!std::isfinite(normalization.scale)) {
        reject("scale must be finite", text(normalization.scale));
    }
    for (std::size_t c = 0; c < 3; ++c) {
        if (!std::isfinite(normalization.mean[c])) {
            reject(element("mean", c) + " must be finite", text(normalization.mean[c]));
        }
        if (!std::isfinite(normalization.std[c]) || normalization.std[c] <= 0.0) {
            reject(element("std", c) + " must be finite and above 0", text(normalization.std[c]));
        }
        const NormalizePixel normalize = make_normalize(normalization, c);
        if (!std::isfinite(normalize(0)) || !std::isfinite(normalize(255))) {
            reject("scale, mean and std must normalise every pixel to a finite float32 in channel " +
                       std::to_string(c),
                   "a value out of range");
        }
    }
}

}  // namespace

Filter parse_filter(const std::string& name) {
    if (name == "nearest") {
        return Filter::nearest;
    }
    if (name == "bilinear") {
        return Filter::bilinear;
    }
    if (name == "bicubic") {
        return Filter::bicubic;
    }
    if (name == "lanczos") {
        return Filter::lanczos;
    }
    reject("filter must be 'nearest', 'bilinear', 'bicubic' or 'lanczos'", "'" + name + "'");
}

void check_resize_normalize(const Destination& destination, const ImageView* images, const Window* windows,
                            std::size_t count, const Normalization& normalization) {
    check_destination(destination, count);
    check_normalization(normalization);
    for (std::size_t i = 0; i < count; ++i) {
        check_image(images[i], i, destination);
        check_window(windows[i], i);
    }
}

void resize_normalize_into(const Destination& destination, const ImageView* images, const Window* windows,
                           std::size_t count, Filter filter, const Normalization& normalization, Isa isa) {
    check_resize_normalize(destination, images, windows, count, normalization);
    check_isa(isa);

    ImageResampler resampler(row_kernels(isa), filter, normalization, destination.height, destination.width);
    const std::int64_t size = 3 * destination.height * destination.width;
    for (std::size_t i = 0; i < count; ++i) {
        resampler.run(images[i], windows[i], destination.data + static_cast<std::int64_t>(i) * size);
    }
}

}  // namespace tundish
