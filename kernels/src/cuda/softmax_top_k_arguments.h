// What the host tells the GPU of a call of softmax_top_k; read by both compilers.
#pragma once

#include <cstdint>

namespace tundish::cuda {

// `indices` are of `index_bytes` each, 4 or 8. `function` is a ScoreFunction.
struct SoftmaxTopKArguments {
    void* indices;
    std::int32_t index_bytes;
    float* scores;
    std::int64_t k;
    const float* logits;
    std::int64_t classes;
    std::int32_t function;
};

// Threads of a block, which takes one row.
constexpr int kSoftmaxTopKThreads = 256;

}  // namespace tundish::cuda
