// Where the output pixels along one axis come from: source index and weights.
#pragma once

#include <cstdint>
#include <vector>

#include "tundish/image.h"

namespace tundish {

// Maps `source` pixels to `resized` pixels, for the resized pixels from `begin` to `end` alone.
struct Span {
    std::int64_t source;
    std::int64_t resized;
    std::int64_t begin;
    std::int64_t end;

    bool operator==(const Span& other) const {
        return source == other.source && resized == other.resized && begin == other.begin && end == other.end;
    }
};

// Output pixel begin + i is the sum of coefficients[i × taps + k] × source[first[i] + k] over k < count[i],
// in units of 2^-kCoefficientBits. first and first + count never fall as i grows; every source index is in
// range. At most 6 × source + 3 × resized coefficients, since wider filters mean fewer output pixels.
struct ResampleAxis {
    std::vector<std::int32_t> first;
    std::vector<std::int32_t> count;
    std::vector<std::int32_t> coefficients;
    std::int64_t taps = 0;
};

// ResampleAxis::taps of resample_axis(span, filter), at hardly any cost.
std::int64_t resample_taps(const Span& span, Filter filter);

// `filter` must be neither nearest nor bilinear_point. An axis whose length does not change gets a single
// weight of one.
ResampleAxis resample_axis(const Span& span, Filter filter);

// Source index of each output pixel for Filter::nearest.
std::vector<std::int32_t> nearest_axis(const Span& span);

// Output pixel begin + i lies between source pixels first[i] and first[i] + 1, weights[i] / 2^bits towards
// the second; a weight that is not 0 has a second pixel.
struct LinearAxis {
    std::vector<std::int32_t> first;
    std::vector<std::int16_t> weights;
    bool interpolates = false;  // some weight is not 0
};

// For Filter::bilinear_point. Weights are exact before they are rounded to 2^-bits, and at most `most`.
LinearAxis linear_axis(const Span& span, int bits, std::int32_t most);

}  // namespace tundish
