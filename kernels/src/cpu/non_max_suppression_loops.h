// The inner loops of non_max_suppression as a table of functions, one table per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/box_overlap.h"
#include "tundish/isa.h"

namespace tundish {

// Boxes that are kept already, number by number; the arrays are filled up to a multiple of kKeptBlock with
// boxes of the class -1.
constexpr std::size_t kKeptBlock = 16;

struct KeptBoxes {
    const float* x1;
    const float* y1;
    const float* x2;
    const float* y2;
    const float* area;
    const std::int32_t* classes;
    std::size_t count;
};

struct NonMaxSuppressionLoops {
    // Writes the positions of the scores above the threshold, in order; returns how many there are. `found`
    // has room for `length`.
    std::size_t (*above)(const float* scores, std::size_t length, float threshold, std::uint32_t* found);

    // Whether a kept box of the same class overlaps too much. `box_class` is not -1.
    bool (*suppressed)(const KeptBoxes& kept, const Box& box, std::int32_t box_class, float iou_threshold);
};

// Tables for what kernels/CMakeLists.txt compiles non_max_suppression_loops.cpp into.
namespace scalar {
extern const NonMaxSuppressionLoops kNonMaxSuppressionLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const NonMaxSuppressionLoops kNonMaxSuppressionLoops;
}
namespace avx512 {
extern const NonMaxSuppressionLoops kNonMaxSuppressionLoops;
}
#elif defined(__aarch64__)
namespace neon {
extern const NonMaxSuppressionLoops kNonMaxSuppressionLoops;
}
#endif

// `isa` must be available.
inline const NonMaxSuppressionLoops& non_max_suppression_loops(Isa isa) {
#if defined(__x86_64__)
    if (without_byte_products(isa) == Isa::avx512) {
        return avx512::kNonMaxSuppressionLoops;
    }
    if (without_byte_products(isa) == Isa::avx2) {
        return avx2::kNonMaxSuppressionLoops;
    }
#elif defined(__aarch64__)
    if (isa == Isa::neon) {
        return neon::kNonMaxSuppressionLoops;
    }
#endif
    static_cast<void>(isa);
    return scalar::kNonMaxSuppressionLoops;
}

}  // namespace tundish
