// The inner loops of attention, as a table of functions, one table per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/isa.h"

namespace tundish {

// A head of an item: tokens are `step` numbers apart.
struct AttentionHead {
    const float* queries;
    const float* keys;
    const float* values;
    const std::int32_t* mask;  // [tokens], or null
    std::size_t step;
    std::size_t tokens;
    std::size_t size;
    float scale;
    float* output;
    std::size_t output_step;
};

struct AttentionLoops {
    // How many floats `attend` works in.
    std::size_t (*scratch)(std::size_t tokens, std::size_t size);
    void (*attend)(const AttentionHead& head, float* scratch);
};

// Tables for what kernels/CMakeLists.txt compiles attention_loops.cpp into.
namespace scalar {
extern const AttentionLoops kAttentionLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const AttentionLoops kAttentionLoops;
}
namespace avx512 {
extern const AttentionLoops kAttentionLoops;
}
#elif defined(__aarch64__)
namespace neon {
extern const AttentionLoops kAttentionLoops;
}
#endif

// `isa` must be available.
inline const AttentionLoops& attention_loops(Isa isa) {
    const Isa plain = without_byte_products(isa);
#if defined(__x86_64__)
    if (plain == Isa::avx512) {
        return avx512::kAttentionLoops;
    }
    if (plain == Isa::avx2) {
        return avx2::kAttentionLoops;
    }
#elif defined(__aarch64__)
    if (plain == Isa::neon) {
        return neon::kAttentionLoops;
    }
#endif
    static_cast<void>(plain);
    return scalar::kAttentionLoops;
}

}  // namespace tundish
