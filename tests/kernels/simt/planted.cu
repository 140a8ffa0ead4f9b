// Kernels with one mistake each, which the shim must find. The tests look for the lines with a marker.
constexpr int kThreads = 64;

// Every element from its neighbour's; the neighbour may not have written yet.
extern "C" __global__ void missing_barrier(int* output) {
    __shared__ int values[kThreads];
    values[threadIdx.x] = static_cast<int>(threadIdx.x) + 1;  // MARK: written
    // Here __syncthreads() is missing.
    output[threadIdx.x] = values[(threadIdx.x + 1) % kThreads];  // MARK: raced
}

// The same across the lanes of one warp.
extern "C" __global__ void missing_warp_barrier(int* output) {
    __shared__ int values[kThreads];
    values[threadIdx.x] = static_cast<int>(threadIdx.x) + 1;
    // A shuffle makes lanes meet, but orders no memory accesses.
    const int one = __shfl_sync(0xFFFFFFFF, 1, 0);
    output[threadIdx.x] = values[threadIdx.x ^ 1] * one;  // MARK: raced in a warp
}

extern "C" __global__ void barriers_in_place(int* output) {
    __shared__ int values[kThreads];
    values[threadIdx.x] = static_cast<int>(threadIdx.x) + 1;
    __syncthreads();
    const int neighbour = values[(threadIdx.x + 1) % kThreads];
    __syncthreads();
    values[threadIdx.x] = neighbour;
    __syncwarp();
    output[threadIdx.x] = values[threadIdx.x ^ 1];
}

extern "C" __global__ void shared_out_of_bounds(int* output) {
    __shared__ int values[kThreads];
    int* volatile pointer = values;  // volatile, or the compiler refuses by itself
    pointer[threadIdx.x + 1] = 1;    // MARK: shared too far
    __syncthreads();
    output[threadIdx.x] = values[threadIdx.x];
}

extern "C" __global__ void global_out_of_bounds(int* output) {
    output[threadIdx.x + 1] = 1;  // MARK: global too far
}

extern "C" __global__ void divergent_barrier(int* output) {
    if (threadIdx.x < 40) {
        __syncthreads();  // MARK: divergent
    }
    output[threadIdx.x] = 1;
}

extern "C" __global__ void different_barriers(int* output) {
    if (threadIdx.x < 32) {
        __syncthreads();  // MARK: first branch
    } else {
        __syncthreads();
    }
    output[threadIdx.x] = 1;
}

extern "C" __global__ void absent_lane(int* output) {
    if (threadIdx.x % 32 != 7) {
        output[threadIdx.x] = __shfl_down_sync(0xFFFFFFFF, 1, 1);  // MARK: lane 7 is absent
    }
}

extern "C" __global__ void inactive_source(int* output) {
    if (threadIdx.x % 32 < 16) {
        output[threadIdx.x] = __shfl_xor_sync(0x0000FFFF, 1, 16);  // MARK: reads an inactive lane
    }
}

extern "C" __global__ void not_in_mask(int* output) {
    output[threadIdx.x] = static_cast<int>(__ballot_sync(0x7FFFFFFF, 1));  // MARK: not in its mask
}

extern "C" __global__ void uninitialised_shared(int* output) {
    __shared__ int sum;
    __syncthreads();
    output[threadIdx.x] = sum;
}

// Warp functions with known answers: the sum of each group of eight lanes, and a prefix sum over the warp.
extern "C" __global__ void warp_functions(int* output) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    int sum = lane;
    for (int step = 4; step > 0; step /= 2) {
        sum += __shfl_xor_sync(0xFFFFFFFF, sum, step);
    }
    int prefix = 1;
    for (int step = 1; step < 32; step *= 2) {
        const int other = __shfl_up_sync(0xFFFFFFFF, prefix, step);
        prefix += lane >= step ? other : 0;
    }
    const int next = __shfl_down_sync(0xFFFFFFFF, lane, 1, 8);
    const int first = __shfl_sync(0xFFFFFFFF, lane, 0, 16);
    const bool votes = __ballot_sync(0xFFFFFFFF, lane % 2) == 0xAAAAAAAA &&
                       __any_sync(0xFFFFFFFF, lane == 3) && !__all_sync(0xFFFFFFFF, lane != 3) &&
                       __popc(0xF0F0) == 8;
    output[threadIdx.x] = votes ? sum + 1000 * prefix + 100000 * (next + 100 * first) : -1;
}
