// What a logit goes through on its way to a score and to its rank; for the CPU loops and for CUDA kernels.
#pragma once

#include <string.h>

#include <cstdint>

#include "tundish/canonical.h"
#include "tundish/exponential.h"

namespace tundish {

// Integers in the order of the logits: equal for 0 and -0, the least of all for NaN.
TUNDISH_HOST_DEVICE std::int32_t rank_of(float logit) {
    const float value = logit + 0.0F;  // -0 becomes 0
    std::int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    // A negative number's bits grow with its magnitude. Masks, because compilers make branches of a choice.
    const std::int32_t ordered = bits ^ ((bits >> 31) & INT32_MAX);
    const std::int32_t nan = -static_cast<std::int32_t>((bits & INT32_MAX) > 0x7F800000);
    return (ordered & ~nan) | (INT32_MIN & nan);
}

struct SoftmaxScore {
    float maximum;
    double sum;  // of the row's exponentials

    TUNDISH_HOST_DEVICE float operator()(float logit) const {
        return canonical(static_cast<float>(static_cast<double>(exponential(logit - maximum)) / sum));
    }
};

// One formula for both signs, so that it never decreases; e^-x overflows to infinity, and the score to 0.
struct SigmoidScore {
    TUNDISH_HOST_DEVICE float operator()(float logit) const {
        return canonical(1.0F / (1.0F + exponential(-logit)));
    }
};

struct IdentityScore {
    TUNDISH_HOST_DEVICE float operator()(float logit) const { return canonical(logit); }
};

}  // namespace tundish
