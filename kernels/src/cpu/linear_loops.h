// The inner loops of quantised linear layers, as a table of functions, one table per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/isa.h"
#include "tundish/quantized_linear.h"

namespace tundish {

// Rows of bytes, each with a step and a zero of its own.
struct RoundedRows {
    std::uint8_t* bytes;    // [rows, row_bytes]; what stands behind the inputs meets weights of 0
    std::size_t row_bytes;  // a multiple of 64
    float* steps;           // [rows]
    float* zeros;           // [rows], whole numbers
};

// The weights of a block of outputs and what becomes of their sums.
struct LinearBlock {
    std::size_t first;            // of the outputs
    std::size_t width;            // 16, 32 or 64
    std::size_t valid;            // how many of them there are
    const std::uint8_t* weights;  // [runs, fours, width × weight_bytes]
    const float* minus_sums;      // [width]: of the weights of each output
    const float* scales;          // [width]
    const float* biases;          // [width]
};

// What all blocks of a layer have in common.
struct LinearRuns {
    const std::size_t* begins;
    std::size_t count;
    std::size_t fours;  // of each
};

struct LinearLoops {
    // Rounds [rows, inputs] numbers.
    void (*round)(const float* values, const float* factors, std::size_t rows, std::size_t inputs,
                  const RoundedRows& rounded);

    // Writes the outputs of some blocks for [rows, outputs].
    void (*multiply)(const RoundedRows& rounded, std::size_t rows, const LinearRuns& runs,
                     const LinearBlock* blocks, std::size_t block_count, Activation activation, float* output,
                     std::size_t outputs);

    // Adds others to [rows, outputs] numbers and normalises the sums where they stand.
    void (*normalize)(float* values, const float* others, std::size_t rows, std::size_t outputs,
                      const RowNormalization& normalization);
};

// Tables for what kernels/CMakeLists.txt compiles linear_loops.cpp into.
namespace scalar {
extern const LinearLoops kLinearLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const LinearLoops kLinearLoops;
}
namespace avx2_vnni {
extern const LinearLoops kLinearLoops;
}
namespace avx512 {
extern const LinearLoops kLinearLoops;
}
namespace avx512_vnni {
extern const LinearLoops kLinearLoops;
}
namespace avx512_amx {
extern const LinearLoops kLinearLoops;
}
#elif defined(__aarch64__)
namespace neon {
extern const LinearLoops kLinearLoops;
}
#endif

// `isa` must be available.
inline const LinearLoops& linear_loops(Isa isa) {
#if defined(__x86_64__)
    if (isa == Isa::avx512_amx) {
        return avx512_amx::kLinearLoops;
    }
    if (isa == Isa::avx512_vnni) {
        return avx512_vnni::kLinearLoops;
    }
    if (isa == Isa::avx512) {
        return avx512::kLinearLoops;
    }
    if (isa == Isa::avx2_vnni) {
        return avx2_vnni::kLinearLoops;
    }
    if (isa == Isa::avx2) {
        return avx2::kLinearLoops;
    }
#elif defined(__aarch64__)
    if (isa == Isa::neon) {
        return neon::kLinearLoops;
    }
#endif
    static_cast<void>(isa);
    return scalar::kLinearLoops;
}

}  // namespace tundish
