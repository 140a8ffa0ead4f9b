// pool_normalize on the GPU: one block takes a row of the batch, and a thread one dimension after the other.
//
// The mask's kept positions are first put side by side in shared memory, by ballots, so that all threads take
// the same eight vectors at a time as the CPU form does. Sums are in its order too: eight values pairwise in
// float32, groups in float64; squares over sixteen lanes, added by halves.
#include "pool_normalize_arguments.h"
#include "tundish/pool.h"

namespace tundish::cuda {
namespace pool_normalize {

constexpr int kThreads = kPoolNormalizeThreads;
constexpr int kWarps = kThreads / 32;
constexpr int kGroup = 8;
constexpr int kLanes = 16;

// Values of Pooling.
constexpr int kMean = 0;
constexpr int kCls = 1;

// The last kept positions: number n at n % kRing. New ones come kThreads at a time to at most seven left
// over.
constexpr int kRing = 2 * kThreads;

struct Kept {
    std::int32_t warp_counts[kWarps];
    std::int64_t ring[kRing];
};

__device__ __forceinline__ bool keeps(const PoolNormalizeArguments& arguments, std::int64_t at) {
    if (arguments.mask_bytes == 8) {
        return static_cast<const std::int64_t*>(arguments.mask)[at] != 0;
    }
    if (arguments.mask_bytes == 4) {
        return static_cast<const std::int32_t*>(arguments.mask)[at] != 0;
    }
    return static_cast<const std::uint8_t*>(arguments.mask)[at] != 0;
}

// Puts the kept ones of kThreads positions from `begin` on into the ring, as number `count` and following,
// and returns how many there are then. Ends with a barrier, and begins with one before the ring changes.
__device__ __forceinline__ std::int64_t find_kept(const PoolNormalizeArguments& arguments, std::int64_t begin,
                                                  std::int64_t count, Kept& kept) {
    const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * arguments.tokens;
    const std::int64_t position = begin + threadIdx.x;
    const bool keep = position < arguments.tokens && keeps(arguments, row + position);
    const int warp = static_cast<int>(threadIdx.x) / 32;
    const unsigned votes = __ballot_sync(0xFFFFFFFF, keep ? 1 : 0);
    if (threadIdx.x % 32 == 0) {
        kept.warp_counts[warp] = __popc(votes);
    }
    __syncthreads();
    std::int64_t number = count + __popc(votes & ((1U << threadIdx.x % 32) - 1U));
    for (int i = 0; i < kWarps; ++i) {
        number += i < warp ? kept.warp_counts[i] : 0;
        count += kept.warp_counts[i];
    }
    if (keep) {
        kept.ring[number % kRing] = position;
    }
    __syncthreads();
    return count;
}

// What a thread knows of its dimension.
struct Pooled {
    double sum;      // for a mean
    float greatest;  // otherwise; the first, for cls

    // Takes in the kept vectors from number `begin` on that make whole groups, or all if they are the last.
    // `column` is this dimension of the row's first vector.
    __device__ __forceinline__ std::int64_t add(const PoolNormalizeArguments& arguments, const float* column,
                                                const std::int64_t* ring, std::int64_t begin,
                                                std::int64_t end, bool last) {
        const auto value = [&](std::int64_t number) {
            return column[ring[number % kRing] * arguments.width];
        };
        if (begin == 0 && end > 0) {
            greatest = value(0);
        }
        for (; begin + kGroup <= end; begin += kGroup) {
            if (arguments.pooling == kMean) {
                sum += static_cast<double>(sum_of_eight(value(begin), value(begin + 1), value(begin + 2),
                                                        value(begin + 3), value(begin + 4), value(begin + 5),
                                                        value(begin + 6), value(begin + 7)));
            } else if (arguments.pooling != kCls) {
                for (int i = 0; i < kGroup; ++i) {
                    greatest = greater_or_nan(greatest, value(begin + i));
                }
            }
        }
        for (; last && begin < end; ++begin) {
            if (arguments.pooling == kMean) {
                sum += static_cast<double>(value(begin));
            } else if (arguments.pooling != kCls) {
                greatest = greater_or_nan(greatest, value(begin));
            }
        }
        return begin;
    }
};

__device__ __forceinline__ void pool(const PoolNormalizeArguments& arguments, std::int64_t dimension,
                                     float* output, Kept& kept) {
    const bool inside = dimension < arguments.width;
    const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * arguments.tokens * arguments.width;
    const float* const column = arguments.vectors + first + (inside ? dimension : 0);
    Pooled pooled{0.0, 0.0F};
    std::int64_t taken = 0, count = 0;
    for (std::int64_t begin = 0; begin < arguments.tokens; begin += kThreads) {
        count = find_kept(arguments, begin, count, kept);
        const bool last = begin + kThreads >= arguments.tokens;
        taken = pooled.add(arguments, column, kept.ring, taken, count, last);
    }
    if (inside) {
        const bool mean = arguments.pooling == kMean && count > 0;
        output[dimension] =
            mean ? DivideByCount{static_cast<double>(count)}(pooled.sum) : canonical(pooled.greatest);
    }
}

// Of a row that the whole block has written; for thread 0 alone.
__device__ __forceinline__ double sum_of_squares(const float* values, std::int64_t width) {
    double sum = 0.0;
    if (threadIdx.x < kLanes) {
        for (std::int64_t i = threadIdx.x; i < width; i += kLanes) {
            const auto value = static_cast<double>(values[i]);
            sum += value * value;
        }
        for (int half = kLanes / 2; half > 0; half /= 2) {
            sum += __shfl_down_sync(0x0000FFFF, sum, half, kLanes);
        }
    }
    return sum;
}

}  // namespace pool_normalize

extern "C" __global__ void __launch_bounds__(kPoolNormalizeThreads)
    tundish_pool_normalize(const PoolNormalizeArguments arguments) {
    using namespace pool_normalize;
    __shared__ Kept kept;
    __shared__ double norm;

    float* const output = arguments.destination + static_cast<std::int64_t>(blockIdx.x) * arguments.width;
    for (std::int64_t begin = 0; begin < arguments.width; begin += kThreads) {
        pool(arguments, begin + threadIdx.x, output, kept);
    }
    if (arguments.normalize) {
        __syncthreads();
        const double squares = sum_of_squares(output, arguments.width);
        if (threadIdx.x == 0) {
            const double length = sqrt(squares);
            norm = length < arguments.smallest_norm ? arguments.smallest_norm : length;
        }
        __syncthreads();
        const DivideByNorm divide{norm};
        for (std::int64_t i = threadIdx.x; i < arguments.width; i += kThreads) {
            output[i] = divide(output[i]);
        }
    }
}

}  // namespace tundish::cuda
