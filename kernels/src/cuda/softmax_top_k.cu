// softmax_top_k on the GPU: one block takes a row, and finds the best class k times over.
//
// A round looks for the best class below the last one found, so that no memory is needed but the result's; k
// is small in practice. Exponentials are added in the CPU form's order: sixteen lanes, chunks of 128 logits
// in float32, chunks in float64 one after the other, and the lanes by halves at the end.
#include "softmax_top_k_arguments.h"
#include "tundish/score.h"

namespace tundish::cuda {
namespace softmax_top_k {

constexpr int kThreads = kSoftmaxTopKThreads;
constexpr int kWarps = kThreads / 32;
constexpr int kLanes = 16;
constexpr int kRowsOfChunk = 8;
constexpr int kChunk = kRowsOfChunk * kLanes;
constexpr int kChunks = kThreads / kLanes;  // at a time

// Values of ScoreFunction.
constexpr int kSoftmax = 0;
constexpr int kSigmoid = 1;

using WarpBest = std::int64_t[kWarps];
using ChunkSums = float[kChunks][kLanes];

// A rank and a class as one integer: the greater is the better, and of equal ranks the lower class.
__device__ __forceinline__ std::int64_t candidate(float logit, std::int64_t index) {
    return static_cast<std::int64_t>(rank_of(logit)) * (std::int64_t{1} << 32) + (INT32_MAX - index);
}

__device__ __forceinline__ std::int64_t class_of(std::int64_t candidate) {
    return INT32_MAX - (candidate & 0xFFFFFFFF);
}

__device__ __forceinline__ std::int64_t greater(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

// The best candidate below `limit`, the same for all threads. `warp_best` must not be in use by the call
// before.
__device__ __forceinline__ std::int64_t best_below(const float* logits, std::int64_t classes,
                                                   std::int64_t limit, WarpBest& warp_best) {
    std::int64_t best = INT64_MIN;
    for (std::int64_t i = threadIdx.x; i < classes; i += kThreads) {
        const std::int64_t here = candidate(logits[i], i);
        best = here < limit ? greater(best, here) : best;
    }
    for (int step = 16; step > 0; step /= 2) {
        best = greater(best, __shfl_xor_sync(0xFFFFFFFF, best, step));
    }
    if (threadIdx.x % 32 == 0) {
        warp_best[threadIdx.x / 32] = best;
    }
    __syncthreads();
    for (int warp = 0; warp < kWarps; ++warp) {
        best = greater(best, warp_best[warp]);
    }
    return best;
}

// The sum of one lane of a chunk; nothing beyond the end.
__device__ __forceinline__ float chunk_sum(const float* logits, std::int64_t classes, std::int64_t begin,
                                           float maximum) {
    float sum = 0.0F;
    if (begin - begin % kChunk < classes) {
        for (int row = 0; row < kRowsOfChunk; ++row) {
            const std::int64_t i = begin + row * kLanes;
            sum += exponential((i < classes ? logits[i] : -INFINITY) - maximum);
        }
    }
    return sum;
}

// For thread 0 alone; what others get is part of the sum.
__device__ __forceinline__ double sum_of_exponentials(const float* logits, std::int64_t classes,
                                                      float maximum, ChunkSums& chunk_sums) {
    const int chunk = static_cast<int>(threadIdx.x) / kLanes, lane = static_cast<int>(threadIdx.x) % kLanes;
    double sum = 0.0;
    for (std::int64_t begin = 0; begin < classes; begin += kChunks * kChunk) {
        chunk_sums[chunk][lane] = chunk_sum(logits, classes, begin + chunk * kChunk + lane, maximum);
        __syncthreads();
        if (threadIdx.x < kLanes) {
            for (int i = 0; i < kChunks; ++i) {
                sum += static_cast<double>(chunk_sums[i][lane]);
            }
        }
        __syncthreads();
    }
    if (threadIdx.x < kLanes) {
        for (int width = kLanes / 2; width > 0; width /= 2) {
            sum += __shfl_down_sync(0x0000FFFF, sum, width, kLanes);
        }
    }
    return sum;
}

__device__ __forceinline__ void store(const SoftmaxTopKArguments& arguments, std::int64_t at,
                                      std::int64_t index, float score) {
    if (arguments.index_bytes == 8) {
        static_cast<std::int64_t*>(arguments.indices)[at] = index;
    } else {
        static_cast<std::int32_t*>(arguments.indices)[at] = static_cast<std::int32_t>(index);
    }
    arguments.scores[at] = score;
}

}  // namespace softmax_top_k

extern "C" __global__ void __launch_bounds__(kSoftmaxTopKThreads)
    tundish_softmax_top_k(const SoftmaxTopKArguments arguments) {
    using namespace softmax_top_k;
    __shared__ WarpBest warp_best[2];  // taken in turn, which saves a barrier a round
    __shared__ ChunkSums chunk_sums;

    const std::int64_t row = blockIdx.x;
    const float* const logits = arguments.logits + row * arguments.classes;
    SoftmaxScore softmax{0.0F, 0.0};
    std::int64_t best = INT64_MAX;
    for (std::int64_t i = 0; i < arguments.k; ++i) {
        best = best_below(logits, arguments.classes, best, warp_best[i % 2]);
        const std::int64_t index = class_of(best);
        const float logit = logits[index];
        if (i == 0 && arguments.function == kSoftmax) {
            softmax = {logit, sum_of_exponentials(logits, arguments.classes, logit, chunk_sums)};
        }
        if (threadIdx.x == 0) {
            const float score = arguments.function == kSoftmax   ? softmax(logit)
                                : arguments.function == kSigmoid ? SigmoidScore{}(logit)
                                                                 : IdentityScore{}(logit);
            store(arguments, row * arguments.k + i, index, score);
        }
    }
}

}  // namespace tundish::cuda
