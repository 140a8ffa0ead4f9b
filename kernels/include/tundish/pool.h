// How token vectors become one, element by element; for the CPU loops and for CUDA kernels.
#pragma once

#include "tundish/canonical.h"
#include "tundish/pixel.h"

namespace tundish {

// The sum of eight values, pairwise: three roundings instead of seven.
TUNDISH_HOST_DEVICE float sum_of_eight(float a, float b, float c, float d, float e, float f, float g,
                                       float h) {
    return ((a + b) + (c + d)) + ((e + f) + (g + h));
}

// The greater value, or NaN if one is; the first of equals.
TUNDISH_HOST_DEVICE float greater_or_nan(float a, float b) {
    const float greater = b > a ? b : a;
    return b != b ? b : greater;
}

struct DivideByCount {
    double count;

    TUNDISH_HOST_DEVICE float operator()(double sum) const {
        return canonical(static_cast<float>(sum / count));
    }
};

struct DivideByNorm {
    double norm;  // of a vector in float32 it may be beyond float32

    TUNDISH_HOST_DEVICE float operator()(float value) const {
        return canonical(static_cast<float>(static_cast<double>(value) / norm));
    }
};

}  // namespace tundish
