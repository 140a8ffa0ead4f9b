// The inner loops of pool_normalize; compiled once per instruction set, into the namespace TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations (see row_kernels.cpp).
#include "pool_normalize_loops.h"

#include <math.h>

#include "tundish/pool.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

constexpr std::size_t kLanes = 16;

void add_group(const float* const* vectors, std::size_t width, double* __restrict sums) {
    const float *const a = vectors[0], *const b = vectors[1], *const c = vectors[2], *const d = vectors[3];
    const float *const e = vectors[4], *const f = vectors[5], *const g = vectors[6], *const h = vectors[7];
    for (std::size_t i = 0; i < width; ++i) {
        sums[i] += static_cast<double>(sum_of_eight(a[i], b[i], c[i], d[i], e[i], f[i], g[i], h[i]));
    }
}

void add_one(const float* vector, std::size_t width, double* __restrict sums) {
    for (std::size_t i = 0; i < width; ++i) {
        sums[i] += static_cast<double>(vector[i]);
    }
}

void mean(const double* __restrict sums, double count, std::size_t width, float* __restrict pooled) {
    const DivideByCount divide{count};
    for (std::size_t i = 0; i < width; ++i) {
        pooled[i] = divide(sums[i]);
    }
}

void max_group(const float* const* vectors, std::size_t width, float* __restrict pooled) {
    const float *const a = vectors[0], *const b = vectors[1], *const c = vectors[2], *const d = vectors[3];
    const float *const e = vectors[4], *const f = vectors[5], *const g = vectors[6], *const h = vectors[7];
    for (std::size_t i = 0; i < width; ++i) {
        const float first = greater_or_nan(greater_or_nan(a[i], b[i]), greater_or_nan(c[i], d[i]));
        const float second = greater_or_nan(greater_or_nan(e[i], f[i]), greater_or_nan(g[i], h[i]));
        pooled[i] = greater_or_nan(pooled[i], greater_or_nan(first, second));
    }
}

void max_one(const float* vector, std::size_t width, float* __restrict pooled) {
    for (std::size_t i = 0; i < width; ++i) {
        pooled[i] = greater_or_nan(pooled[i], vector[i]);
    }
}

void canonicalize(std::size_t width, float* pooled) {
    for (std::size_t i = 0; i < width; ++i) {
        pooled[i] = canonical(pooled[i]);
    }
}

double sum_of_squares(const float* values, std::size_t width) {
    double sums[kLanes] = {};
    std::size_t begin = 0;
    for (; begin + kLanes <= width; begin += kLanes) {
        for (std::size_t i = 0; i < kLanes; ++i) {
            const auto value = static_cast<double>(values[begin + i]);
            sums[i] += value * value;  // the product of two float32 is exact
        }
    }
    for (std::size_t i = 0; begin + i < width; ++i) {
        const auto value = static_cast<double>(values[begin + i]);
        sums[i] += value * value;
    }
    for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
        for (std::size_t i = 0; i < half; ++i) {
            sums[i] += sums[i + half];
        }
    }
    return sums[0];
}

void normalize(std::size_t width, double smallest, float* pooled) {
    const double norm = sqrt(sum_of_squares(pooled, width));
    const DivideByNorm divide{norm < smallest ? smallest : norm};
    for (std::size_t i = 0; i < width; ++i) {
        pooled[i] = divide(pooled[i]);
    }
}

}  // namespace

extern const PoolNormalizeLoops kPoolNormalizeLoops = {add_group, add_one,      mean,     max_group,
                                                       max_one,   canonicalize, normalize};

}  // namespace TUNDISH_ISA
}  // namespace tundish
