// What kernels do with the lanes of a warp and have in common.
#pragma once

#include <cstdint>

namespace tundish::cuda {

// Of a block whose rows are a multiple of 32 threads.
__device__ __forceinline__ int lane_of_warp() { return static_cast<int>(threadIdx.x % 32); }

// The next place of a list in shared or global memory for each lane that wants one. All lanes of the warp
// must call; others than those that want a place get a number without meaning.
__device__ __forceinline__ unsigned next_place(bool wanted, unsigned* count) {
    const unsigned votes = __ballot_sync(0xFFFFFFFF, wanted ? 1 : 0);
    unsigned first = 0;
    if (votes != 0 && lane_of_warp() == 0) {
        first = atomicAdd(count, static_cast<unsigned>(__popc(votes)));
    }
    first = __shfl_sync(0xFFFFFFFF, first, 0);
    return first + static_cast<unsigned>(__popc(votes & ((1U << lane_of_warp()) - 1U)));
}

// The sum of the values of this lane and those below it.
template <typename T>
__device__ __forceinline__ T sum_up_to_lane(T value) {
    for (int step = 1; step < 32; step *= 2) {
        const T below = __shfl_up_sync(0xFFFFFFFF, value, static_cast<unsigned>(step));
        value += lane_of_warp() >= step ? below : T{0};
    }
    return value;
}

}  // namespace tundish::cuda
