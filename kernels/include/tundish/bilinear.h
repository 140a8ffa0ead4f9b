// Bilinear interpolation of floats, element by element; for the CPU loops and for CUDA kernels.
#pragma once

#include <math.h>

#include <cstdint>

#include "tundish/pixel.h"

namespace tundish {

// Between the two source elements `first` and `second`, which are the same at an edge.
struct Tap {
    std::int32_t first;
    std::int32_t second;
    float first_weight;
    float second_weight;
};

// Source elements for each of the output, as bilinear_tap takes it.
TUNDISH_HOST_DEVICE float bilinear_scale(std::int64_t source, std::int64_t output) {
    return static_cast<float>(source) / static_cast<float>(output);
}

// Where output element `index` lies in a source, `scale` of whose elements are one of the output: the centres
// of the first and last elements' areas meet, not the elements themselves (align_corners=False). In float32
// with one fma, so that positions equal torch.nn.functional.interpolate's; they never decrease with the
// index.
TUNDISH_HOST_DEVICE float bilinear_position(std::int32_t index, float scale) {
    return fmaf(scale, static_cast<float>(index) + 0.5F, -0.5F);
}

// Output element `index` between those of a source of `length` elements.
TUNDISH_HOST_DEVICE Tap bilinear_tap(std::int32_t index, std::int32_t length, float scale) {
    const float position = bilinear_position(index, scale);
    const float inside = position > 0.0F ? position : 0.0F;
    const auto floor = static_cast<std::int32_t>(inside);
    const std::int32_t first = floor < length - 1 ? floor : length - 1;
    const std::int32_t second = first < length - 1 ? first + 1 : first;
    const float second_weight = inside - static_cast<float>(first);
    return {first, second, 1.0F - second_weight, second_weight};
}

TUNDISH_HOST_DEVICE float interpolate(float first, float second, float first_weight, float second_weight) {
    return fmaf(first, first_weight, second * second_weight);
}

}  // namespace tundish
