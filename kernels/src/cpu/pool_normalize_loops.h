// The inner loops of pool_normalize as a table of functions, one table per instruction set.
#pragma once

#include <cstddef>

#include "tundish/isa.h"

namespace tundish {

// Token vectors that are taken in one pass over the result.
constexpr std::size_t kTokenGroup = 8;

struct PoolNormalizeLoops {
    // Add the sum of kTokenGroup vectors, or one, to `sums`.
    void (*add_group)(const float* const* vectors, std::size_t width, double* sums);
    void (*add_one)(const float* vector, std::size_t width, double* sums);

    // pooled[i] = sums[i] / count.
    void (*mean)(const double* sums, double count, std::size_t width, float* pooled);

    // Replace `pooled` by the greater of it and kTokenGroup vectors, or one.
    void (*max_group)(const float* const* vectors, std::size_t width, float* pooled);
    void (*max_one)(const float* vector, std::size_t width, float* pooled);

    // Every NaN becomes the same.
    void (*canonicalize)(std::size_t width, float* pooled);

    // Divides by the Euclidean norm, or by `smallest` if that is greater.
    void (*normalize)(std::size_t width, double smallest, float* pooled);
};

// Tables for what kernels/CMakeLists.txt compiles pool_normalize_loops.cpp into.
namespace scalar {
extern const PoolNormalizeLoops kPoolNormalizeLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const PoolNormalizeLoops kPoolNormalizeLoops;
}
namespace avx512 {
extern const PoolNormalizeLoops kPoolNormalizeLoops;
}
#elif defined(__aarch64__)
namespace neon {
extern const PoolNormalizeLoops kPoolNormalizeLoops;
}
#endif

// `isa` must be available.
inline const PoolNormalizeLoops& pool_normalize_loops(Isa isa) {
#if defined(__x86_64__)
    if (without_byte_products(isa) == Isa::avx512) {
        return avx512::kPoolNormalizeLoops;
    }
    if (without_byte_products(isa) == Isa::avx2) {
        return avx2::kPoolNormalizeLoops;
    }
#elif defined(__aarch64__)
    if (isa == Isa::neon) {
        return neon::kPoolNormalizeLoops;
    }
#endif
    static_cast<void>(isa);
    return scalar::kPoolNormalizeLoops;
}

}  // namespace tundish
