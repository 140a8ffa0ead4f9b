// What the host tells the GPU of a call of pool_normalize; read by both compilers.
#pragma once

#include <cstdint>

namespace tundish::cuda {

// Elements of `mask` are integers of `mask_bytes`: 1, 4 or 8. `pooling` is a Pooling.
struct PoolNormalizeArguments {
    float* destination;
    const float* vectors;
    const void* mask;
    std::int32_t mask_bytes;
    std::int64_t tokens;
    std::int64_t width;
    std::int32_t pooling;
    bool normalize;
    double smallest_norm;
};

// Threads of a block, which takes one row.
constexpr int kPoolNormalizeThreads = 256;

}  // namespace tundish::cuda
