// A libcuda.so.1 for tests of the loader: GPUs are memory of the host, and kernels run through the shim.
//
// Work waits in a queue until something synchronises, as it may on a GPU; a pinned buffer that is written too
// early is copied wrong. What it pretends comes from the environment:
//   FAKE_CUDA_DEVICES, FAKE_CUDA_VERSION, FAKE_CUDA_CAPABILITY   numbers; 2, 13000 and 90 if not set
//   FAKE_CUDA_FAILS   "cuInit=100,cuLaunchKernel=719": functions and what they return
//   FAKE_CUDA_LOG     a file that the name of each called function is added to
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels.cu"

#define FAKE extern "C" __attribute__((visibility("default"))) int

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kInvalidValue = 1, kOutOfMemory = 2, kNotInitialized = 3, kInvalidContext = 201,
              kNotFound = 500;

bool started = false;
std::vector<int> contexts;  // ordinals of the current ones, the last on top
std::map<std::uint64_t, std::pair<std::size_t, int>> allocations;  // address: size and ordinal
std::vector<std::function<void()>> queue;

int setting(const char* name, int otherwise) {
    const char* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::atoi(text);
}

// Notes the call; what the environment wants it to return, or 0.
int called(const char* name) {
    if (const char* const path = std::getenv("FAKE_CUDA_LOG")) {
        std::FILE* const file = std::fopen(path, "a");
        std::fprintf(file, "%s\n", name);
        std::fclose(file);
    }
    const char* const fails = std::getenv("FAKE_CUDA_FAILS");
    const std::string text = std::string(",") + (fails == nullptr ? "" : fails);
    const std::size_t found = text.find(std::string(",") + name + "=");
    return found == std::string::npos ? 0 : std::atoi(text.c_str() + found + std::strlen(name) + 2);
}

void run_queue() {
    for (const auto& work : queue) {
        work();
    }
    queue.clear();
}

// Arguments are copied at once, as the driver does, and used later.
template <typename Arguments, void (*kernel)(Arguments)>
void launch(dim3 grid, dim3 block, void** parameters) {
    const auto arguments = *static_cast<std::remove_const_t<Arguments>*>(parameters[0]);
    queue.emplace_back([=] { simt::launch(grid, block, [&] { kernel(arguments); }); });
}

struct Kernel {
    const char* name;
    void (*launch)(dim3 grid, dim3 block, void** parameters);
};

namespace cuda = tundish::cuda;
constexpr Kernel kKernels[] = {
    {"tundish_non_max_suppression",
     launch<cuda::NonMaxSuppressionArguments, cuda::tundish_non_max_suppression>},
    {"tundish_non_max_suppression_collect",
     launch<cuda::NonMaxSuppressionArguments, cuda::tundish_non_max_suppression_collect>},
    {"tundish_non_max_suppression_rotated",
     launch<cuda::NonMaxSuppressionArguments, cuda::tundish_non_max_suppression_rotated>},
    {"tundish_pack", launch<cuda::PackArguments, cuda::tundish_pack>},
    {"tundish_pool_normalize", launch<cuda::PoolNormalizeArguments, cuda::tundish_pool_normalize>},
    {"tundish_resize_normalize", launch<cuda::ResizeNormalizeArguments, cuda::tundish_resize_normalize>},
    {"tundish_resize_normalize_point",
     launch<cuda::ResizeNormalizeArguments, cuda::tundish_resize_normalize_point>},
    {"tundish_resize_normalize_point_converted",
     launch<cuda::ResizeNormalizeArguments, cuda::tundish_resize_normalize_point_converted>},
    {"tundish_run_length_encode", launch<cuda::RunLengthEncodeArguments, cuda::tundish_run_length_encode>},
    {"tundish_run_length_encode_pack",
     launch<cuda::RunLengthEncodeArguments, cuda::tundish_run_length_encode_pack>},
    {"tundish_softmax_top_k", launch<cuda::SoftmaxTopKArguments, cuda::tundish_softmax_top_k>},
    {"tundish_upsample_argmax", launch<cuda::UpsampleArgmaxArguments, cuda::tundish_upsample_argmax>},
    {"tundish_wordpiece", launch<cuda::WordPieceArguments, cuda::tundish_wordpiece>},
};

// A pointer that no one follows.
void* handle(int number) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number + 1)); }

}  // namespace

// Fails as told, and as the driver does before cuInit and without a context.
#define BEGIN_WITHOUT_START                    \
    if (const int result = called(__func__)) { \
        return result;                         \
    }
#define BEGIN                   \
    BEGIN_WITHOUT_START         \
    if (!started) {             \
        return kNotInitialized; \
    }
#define BEGIN_IN_CONTEXT        \
    BEGIN                       \
    if (contexts.empty()) {     \
        return kInvalidContext; \
    }

FAKE cuInit(unsigned) {
    BEGIN_WITHOUT_START
    started = true;
    return 0;
}

FAKE cuDriverGetVersion(int* version) {
    BEGIN_WITHOUT_START
    *version = setting("FAKE_CUDA_VERSION", 13000);
    return 0;
}

FAKE cuGetErrorString(int result, const char** text) {
    *text = result == 719 ? "unspecified launch failure" : nullptr;
    return *text == nullptr ? kInvalidValue : 0;
}

FAKE cuDeviceGetCount(int* count) {
    BEGIN
    *count = setting("FAKE_CUDA_DEVICES", 2);
    return 0;
}

FAKE cuDeviceGet(int* device, int ordinal) {
    BEGIN
    *device = ordinal;
    return 0;
}

FAKE cuDeviceGetName(char* name, int length, int) {
    BEGIN
    std::snprintf(name, static_cast<std::size_t>(length), "stand-in");
    return 0;
}

FAKE cuDeviceGetAttribute(int* value, int attribute, int) {
    BEGIN
    const int capability = setting("FAKE_CUDA_CAPABILITY", 90);
    *value = attribute == 75 ? capability / 10 : capability % 10;
    return 0;
}

FAKE cuDevicePrimaryCtxRetain(void** context, int device) {
    BEGIN
    *context = handle(device);
    return 0;
}

FAKE cuDevicePrimaryCtxRelease_v2(int) {
    BEGIN
    return 0;
}

FAKE cuCtxPushCurrent_v2(void* context) {
    BEGIN
    contexts.push_back(static_cast<int>(reinterpret_cast<std::uintptr_t>(context)) - 1);
    return 0;
}

FAKE cuCtxPopCurrent_v2(void** context) {
    BEGIN_IN_CONTEXT
    *context = handle(contexts.back());
    contexts.pop_back();
    return 0;
}

FAKE cuCtxSynchronize() {
    BEGIN_IN_CONTEXT
    run_queue();
    return 0;
}

FAKE cuModuleLoadData(void** module, const void* image) {
    BEGIN_IN_CONTEXT
    std::uint32_t magic;
    std::memcpy(&magic, image, sizeof magic);
    if (magic != 0xBA55ED50) {
        return 200;  // invalid image
    }
    *module = handle(0);
    return 0;
}

FAKE cuModuleUnload(void*) {
    BEGIN_IN_CONTEXT
    return 0;
}

FAKE cuModuleGetFunction(void** function, void*, const char* name) {
    BEGIN_IN_CONTEXT
    for (const Kernel& kernel : kKernels) {
        if (std::strcmp(kernel.name, name) == 0) {
            *function = const_cast<Kernel*>(&kernel);
            return 0;
        }
    }
    return kNotFound;
}

FAKE cuMemAlloc_v2(std::uint64_t* pointer, std::size_t bytes) {
    BEGIN_IN_CONTEXT
    if (bytes == 0) {
        return kInvalidValue;
    }
    void* const memory = bytes > std::size_t{1} << 40 ? nullptr : std::malloc(bytes);
    if (memory == nullptr) {
        return kOutOfMemory;
    }
    std::memset(memory, 0xA5, bytes);
    *pointer = reinterpret_cast<std::uintptr_t>(memory);
    allocations[*pointer] = {bytes, contexts.back()};
    return 0;
}

FAKE cuMemFree_v2(std::uint64_t pointer) {
    BEGIN_IN_CONTEXT
    run_queue();
    if (allocations.erase(pointer) != 1) {
        return kInvalidValue;
    }
    std::free(reinterpret_cast<void*>(pointer));
    return 0;
}

FAKE cuMemsetD8Async(std::uint64_t memory, unsigned char value, std::size_t bytes, void*) {
    BEGIN_IN_CONTEXT
    queue.emplace_back([=] { std::memset(reinterpret_cast<void*>(memory), value, bytes); });
    return 0;
}

FAKE cuMemHostAlloc(void** pointer, std::size_t bytes, unsigned) {
    BEGIN_IN_CONTEXT
    *pointer = std::malloc(bytes);
    return 0;
}

FAKE cuMemFreeHost(void* pointer) {
    BEGIN_IN_CONTEXT
    run_queue();
    std::free(pointer);
    return 0;
}

FAKE cuMemcpyHtoDAsync_v2(std::uint64_t to, const void* from, std::size_t bytes, void*) {
    BEGIN_IN_CONTEXT
    queue.emplace_back([=] { std::memcpy(reinterpret_cast<void*>(to), from, bytes); });
    return 0;
}

FAKE cuMemcpyDtoDAsync_v2(std::uint64_t to, std::uint64_t from, std::size_t bytes, void*) {
    BEGIN_IN_CONTEXT
    queue.emplace_back(
        [=] { std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes); });
    return 0;
}

FAKE cuMemcpyHtoD_v2(std::uint64_t to, const void* from, std::size_t bytes) {
    BEGIN_IN_CONTEXT
    run_queue();
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
    return 0;
}

FAKE cuMemcpyDtoH_v2(void* to, std::uint64_t from, std::size_t bytes) {
    BEGIN_IN_CONTEXT
    run_queue();
    std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
    return 0;
}

// An event is the time at which the queue reached it.
FAKE cuEventCreate(void** event, unsigned) {
    BEGIN_IN_CONTEXT
    *event = new Clock::time_point;
    return 0;
}

FAKE cuEventDestroy_v2(void* event) {
    BEGIN_IN_CONTEXT
    run_queue();
    delete static_cast<Clock::time_point*>(event);
    return 0;
}

FAKE cuEventRecord(void* event, void*) {
    BEGIN_IN_CONTEXT
    queue.emplace_back([=] { *static_cast<Clock::time_point*>(event) = Clock::now(); });
    return 0;
}

FAKE cuEventElapsedTime(float* milliseconds, void* begin, void* end) {
    BEGIN_IN_CONTEXT
    const auto passed = *static_cast<Clock::time_point*>(end) - *static_cast<Clock::time_point*>(begin);
    *milliseconds = std::chrono::duration<float, std::milli>(passed).count();
    return 0;
}

FAKE cuEventSynchronize(void*) {
    BEGIN_IN_CONTEXT
    run_queue();
    return 0;
}

FAKE cuPointerGetAttribute(void* value, int attribute, std::uint64_t pointer) {
    BEGIN_IN_CONTEXT
    auto after = allocations.upper_bound(pointer);
    if (after == allocations.begin()) {
        return kInvalidValue;
    }
    const auto& [begin, allocation] = *--after;
    if (pointer - begin >= allocation.first) {
        return kInvalidValue;
    }
    const int answer = attribute == 2 ? 2 : allocation.second;
    std::memcpy(value, &answer, sizeof answer);
    return 0;
}

FAKE cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                    unsigned block_y, unsigned block_z, unsigned, void*, void** parameters, void**) {
    BEGIN_IN_CONTEXT
    static_cast<const Kernel*>(function)->launch({grid_x, grid_y, grid_z}, {block_x, block_y, block_z},
                                                 parameters);
    return 0;
}
