// The inner loops of upsample_argmax as a table of functions, one table per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/isa.h"

namespace tundish {

// Columns that are worked on at a time; strips are as wide as a multiple of it.
constexpr std::size_t kLabelBlock = 64;

// The taps of adjacent output columns, number by number.
struct ColumnTaps {
    const std::int32_t* first;
    const std::int32_t* second;
    const float* first_weight;
    const float* second_weight;
};

// Two rows of every class, class by class, `stride` apart, and their weights.
struct RowPair {
    const float* first;
    const float* second;
    float first_weight;
    float second_weight;
    std::size_t stride;
    std::size_t classes;
};

struct UpsampleArgmaxLoops {
    // One row of `row_length` elements along its width: `length` columns, a multiple of kLabelBlock.
    void (*interpolate_row)(const float* row, std::size_t row_length, const ColumnTaps& taps,
                            std::size_t length, float* output);

    // The labels of kLabelBlock columns from `column` on.
    void (*argmax)(const RowPair& rows, std::size_t column, std::int32_t* labels);
};

// Tables for what kernels/CMakeLists.txt compiles upsample_argmax_loops.cpp into.
namespace scalar {
extern const UpsampleArgmaxLoops kUpsampleArgmaxLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const UpsampleArgmaxLoops kUpsampleArgmaxLoops;
}
namespace avx512 {
extern const UpsampleArgmaxLoops kUpsampleArgmaxLoops;
}
#elif defined(__aarch64__)
namespace neon {
extern const UpsampleArgmaxLoops kUpsampleArgmaxLoops;
}
#endif

// `isa` must be available.
inline const UpsampleArgmaxLoops& upsample_argmax_loops(Isa isa) {
#if defined(__x86_64__)
    if (without_byte_products(isa) == Isa::avx512) {
        return avx512::kUpsampleArgmaxLoops;
    }
    if (without_byte_products(isa) == Isa::avx2) {
        return avx2::kUpsampleArgmaxLoops;
    }
#elif defined(__aarch64__)
    if (isa == Isa::neon) {
        return neon::kUpsampleArgmaxLoops;
    }
#endif
    static_cast<void>(isa);
    return scalar::kUpsampleArgmaxLoops;
}

}  // namespace tundish
