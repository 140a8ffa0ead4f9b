// The lowest keys of a list, taken by a block some thousand at a time and sorted in shared memory.
#pragma once

#include <cstdint>

#include "warp_functions.h"

namespace tundish::cuda {

constexpr int kSortedKeys = 2048;
constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;

// Keys in global memory in any order; all differ, and none is UINT64_MAX.
struct KeyList {
    const std::uint64_t* keys;
    unsigned count;
};

// In shared memory.
struct SortedKeys {
    std::uint64_t keys[kSortedKeys];
    unsigned count;
    unsigned histogram[kDigits];
};

__device__ __forceinline__ int thread_count() { return static_cast<int>(blockDim.x); }

// As many of the lowest digits as have kSortedKeys keys together at most, and how many keys these are. All
// digits together must have more. All threads get the same.
struct WholeDigits {
    unsigned digits, keys;
};

__device__ __forceinline__ WholeDigits whole_digits(const unsigned* histogram) {
    constexpr int kLaneDigits = kDigits / 32;
    const unsigned* const share = histogram + kLaneDigits * lane_of_warp();
    unsigned sum = 0;
    for (int i = 0; i < kLaneDigits; ++i) {
        sum += share[i];
    }
    const unsigned sums = sum_up_to_lane(sum);
    // Lanes whose digits all fit are the first ones.
    const int lanes = __popc(__ballot_sync(0xFFFFFFFF, sums <= kSortedKeys ? 1 : 0));
    const unsigned below = __shfl_sync(0xFFFFFFFF, sums - sum, lanes);
    WholeDigits whole{static_cast<unsigned>(kLaneDigits * lanes), below};
    while (whole.keys + histogram[whole.digits] <= kSortedKeys) {
        whole.keys += histogram[whole.digits];
        ++whole.digits;
    }
    return whole;
}

// A key such that of those from `lowest` on, which are more than kSortedKeys, at least one and at most
// kSortedKeys are not above it. Digit by digit, from the highest on, as keys differ.
__device__ __forceinline__ std::uint64_t upper_bound(const KeyList& list, std::uint64_t lowest,
                                                     SortedKeys& sorted) {
    std::uint64_t prefix = 0;
    for (int shift = 64 - kDigitBits;; shift -= kDigitBits) {
        for (int i = static_cast<int>(threadIdx.x); i < kDigits; i += thread_count()) {
            sorted.histogram[i] = 0;
        }
        __syncthreads();
        for (std::int64_t i = threadIdx.x; i < list.count; i += thread_count()) {
            const std::uint64_t key = list.keys[i];
            if (key >= lowest && (key ^ prefix) >> shift >> kDigitBits == 0) {
                atomicAdd(&sorted.histogram[key >> shift & (kDigits - 1)], 1U);
            }
        }
        __syncthreads();
        const WholeDigits whole = whole_digits(sorted.histogram);
        if (whole.keys > 0) {
            return prefix + (std::uint64_t{whole.digits} << shift) - 1;
        }
        __syncthreads();  // all have read the histogram
        prefix += std::uint64_t{whole.digits} << shift;
    }
}

// Bitonic; `count` is a power of two.
__device__ __forceinline__ void sort(std::uint64_t* keys, int count) {
    for (int size = 2; size <= count; size *= 2) {
        for (int step = size / 2; step > 0; step /= 2) {
            __syncthreads();
            for (int i = static_cast<int>(threadIdx.x); i < count / 2; i += thread_count()) {
                const int low = 2 * i - (i & (step - 1)), high = low + step;
                const std::uint64_t a = keys[low], b = keys[high];
                if ((a > b) == ((low & size) == 0)) {
                    keys[low] = b;
                    keys[high] = a;
                }
            }
        }
    }
    __syncthreads();
}

// Puts the lowest keys from `lowest` on, of which `left` are left, into sorted.keys, and returns how many
// there are then: at least one.
__device__ __forceinline__ int take_lowest(const KeyList& list, std::uint64_t lowest, unsigned left,
                                           SortedKeys& sorted) {
    const std::uint64_t highest = left <= kSortedKeys ? UINT64_MAX : upper_bound(list, lowest, sorted);
    if (threadIdx.x == 0) {
        sorted.count = 0;
    }
    __syncthreads();
    for (std::int64_t begin = 0; begin < list.count; begin += thread_count()) {
        const std::int64_t i = begin + threadIdx.x;
        const std::uint64_t key = i < list.count ? list.keys[i] : 0;
        const bool taken = i < list.count && key >= lowest && key <= highest;
        const unsigned place = next_place(taken, &sorted.count);
        if (taken) {
            sorted.keys[place] = key;
        }
    }
    __syncthreads();
    const int count = static_cast<int>(sorted.count);
    int padded = 2;
    while (padded < count) {
        padded *= 2;
    }
    for (int i = count + static_cast<int>(threadIdx.x); i < padded; i += thread_count()) {
        sorted.keys[i] = UINT64_MAX;
    }
    sort(sorted.keys, padded);
    return count;
}

}  // namespace tundish::cuda
