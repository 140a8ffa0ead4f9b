// The inner loops of softmax_top_k as a table of functions, one table per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/isa.h"

namespace tundish {

struct SoftmaxTopKLoops {
    // Sum of e^(logit - maximum), in an order that does not depend on the instruction set.
    double (*sum_of_exponentials)(const float* logits, std::size_t length, float maximum);

    // A rank that at least k logits reach, as high as is cheap to find; INT32_MIN if that is none.
    std::int32_t (*reached_rank)(const float* logits, std::size_t length, std::size_t k);

    // The first index from `begin` on whose rank_of is above `rank`, or `length`.
    std::size_t (*next_above)(const float* logits, std::size_t begin, std::size_t length, std::int32_t rank);

    // Turn logits into scores, in place.
    void (*softmax_scores)(float* logits, std::size_t length, float maximum, double sum);
    void (*sigmoid_scores)(float* logits, std::size_t length);
    void (*identity_scores)(float* logits, std::size_t length);
};

// Tables for what kernels/CMakeLists.txt compiles softmax_top_k_loops.cpp into.
namespace scalar {
extern const SoftmaxTopKLoops kSoftmaxTopKLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const SoftmaxTopKLoops kSoftmaxTopKLoops;
}
namespace avx512 {
extern const SoftmaxTopKLoops kSoftmaxTopKLoops;
}
#elif defined(__aarch64__)
namespace neon {
extern const SoftmaxTopKLoops kSoftmaxTopKLoops;
}
#endif

// `isa` must be available.
inline const SoftmaxTopKLoops& softmax_top_k_loops(Isa isa) {
#if defined(__x86_64__)
    if (without_byte_products(isa) == Isa::avx512) {
        return avx512::kSoftmaxTopKLoops;
    }
    if (without_byte_products(isa) == Isa::avx2) {
        return avx2::kSoftmaxTopKLoops;
    }
#elif defined(__aarch64__)
    if (isa == Isa::neon) {
        return neon::kSoftmaxTopKLoops;
    }
#endif
    static_cast<void>(isa);
    return scalar::kSoftmaxTopKLoops;
}

}  // namespace tundish
