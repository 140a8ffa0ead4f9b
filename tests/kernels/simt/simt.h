// Compiles a .cu file as C++: the words of CUDA C++ that our kernels use, and a launch that runs them on the
// CPU.
//
// Two back ends stand behind `launch`. fibers.cpp runs the threads of a block one after the other, each up to
// its next barrier or warp function, in an order that the test chooses: two orders that give different
// results have found a race. threads.cpp gives each CUDA thread a thread of the system, for the thread
// sanitizer, and tells it of the orderings that CUDA promises and of no others. Both end the process with a
// sentence when threads wait for one another in a way that CUDA leaves undefined.
//
// Shared memory is a static variable in a section of its own: blocks run one at a time, and the section is
// filled with a pattern before each. So kernels must not be templates, and must not use `extern __shared__`.
#pragma once

#include <math.h>
#include <string.h>

#include <cstdint>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __shared__ static __attribute__((section("simt_shared")))

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// Set before a thread of a kernel goes on.
extern __thread uint3 threadIdx, blockIdx, blockDim, gridDim;

constexpr int warpSize = 32;

namespace simt {

constexpr unsigned kMaximumThreads = 1024;

// Where a kernel called one of the functions below.
struct Site {
    const char* function;
    const char* file;
    int line;
};

enum class Order { ascending, descending, shuffled };

// For the launches that follow, of blocks and of threads; threads.cpp ignores it.
void set_order(Order order, unsigned seed = 0);

// Runs a kernel to its end. `kernel` is called once for each thread of the grid.
void launch(dim3 grid, dim3 block, const std::function<void()>& kernel);

// Waits for all threads of the block.
void wait_block(const Site& site);

// Waits for the lanes of `mask`, this one among them, and fills in what each of them brought to the same
// call.
void wait_warp(std::uint32_t mask, std::uint64_t value, std::uint64_t (&values)[32], const Site& site);

// Waits for the lanes of `mask`, and orders their memory accesses as the function above does not.
void wait_warp(std::uint32_t mask, const Site& site);

unsigned lane();

[[noreturn]] void fail(const Site& site, const char* format, ...) __attribute__((format(printf, 2, 3)));

template <typename T>
T shuffle(std::uint32_t mask, T value, int source, int width, bool in_range, const Site& site) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "CUDA shuffles 32 and 64 bits");
    if (width <= 0 || width > warpSize || (width & (width - 1)) != 0) {
        fail(site, "a width of %d is no power of two up to 32", width);
    }
    std::uint64_t bits = 0, values[32];
    memcpy(&bits, &value, sizeof value);
    wait_warp(mask, bits, values, site);
    if (!in_range) {
        return value;
    }
    if ((mask >> source & 1) == 0) {
        fail(site, "lane %u reads lane %d, which is inactive", lane(), source);
    }
    memcpy(&value, &values[source], sizeof value);
    return value;
}

}  // namespace simt

#define SIMT_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(SIMT_SITE) { simt::wait_block({"__syncthreads", file, line}); }

inline void __syncwarp(unsigned mask = 0xFFFFFFFF, SIMT_SITE) {
    simt::wait_warp(mask, {"__syncwarp", file, line});
}

// The lane that a shuffle reads from never leaves the reader's group of `width` lanes.
template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize, SIMT_SITE) {
    const int base = static_cast<int>(simt::lane()) & ~(width - 1);
    return simt::shuffle(mask, value, base + (source & (width - 1)), width, true,
                         {"__shfl_sync", file, line});
}

template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize, SIMT_SITE) {
    const int lane = static_cast<int>(simt::lane()), source = lane - static_cast<int>(delta);
    const bool in_range = source >= (lane & ~(width - 1));
    return simt::shuffle(mask, value, source, width, in_range, {"__shfl_up_sync", file, line});
}

template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize, SIMT_SITE) {
    const int lane = static_cast<int>(simt::lane()), source = lane + static_cast<int>(delta);
    const bool in_range = source < (lane & ~(width - 1)) + width;
    return simt::shuffle(mask, value, source, width, in_range, {"__shfl_down_sync", file, line});
}

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = warpSize, SIMT_SITE) {
    const int lane = static_cast<int>(simt::lane()), source = lane ^ lanes;
    const bool in_range = source < (lane & ~(width - 1)) + width;
    return simt::shuffle(mask, value, source, width, in_range, {"__shfl_xor_sync", file, line});
}

inline unsigned __ballot_sync(unsigned mask, int predicate, const char* function = "__ballot_sync",
                              SIMT_SITE) {
    std::uint64_t values[32];
    simt::wait_warp(mask, predicate != 0, values, {function, file, line});
    unsigned ballot = 0;
    for (int lane = 0; lane < warpSize; ++lane) {
        ballot |= (mask >> lane & 1) != 0 && values[lane] != 0 ? 1U << lane : 0U;
    }
    return ballot;
}

inline int __any_sync(unsigned mask, int predicate, SIMT_SITE) {
    return __ballot_sync(mask, predicate, "__any_sync", file, line) != 0;
}

inline int __all_sync(unsigned mask, int predicate, SIMT_SITE) {
    return __ballot_sync(mask, predicate, "__all_sync", file, line) == mask;
}

inline int __popc(unsigned value) { return __builtin_popcount(value); }

template <typename T>
T atomicAdd(T* address, T value) {
    return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
