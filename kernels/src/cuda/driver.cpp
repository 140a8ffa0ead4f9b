// Finds the driver and says why it cannot be used.
#include "driver.h"

#include <dlfcn.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "tundish/cuda/device.h"

namespace tundish::cuda {
namespace {

constexpr Result kNoDevice = 100;
constexpr int kCapabilityMajor = 75;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
constexpr int kCapabilityMinor = 76;

// The oldest GPU that kernels/cuda.cmake compiles for, and the oldest driver, in the driver's own numbers:
// GPU code asks for one of its compiler's major version, and the way it is compressed for one of CUDA 12.4.
constexpr int kOldestCapability = 75;
constexpr int kOldestDriver = std::max(TUNDISH_CUDA_MAJOR * 1000, 12040);

std::string cuda_version(int number) {
    return "CUDA " + std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

[[noreturn]] void refuse(const std::string& sentence) { throw std::runtime_error(sentence); }

template <typename Pointer>
void find(void* library, const char* name, Pointer& function) {
    function = reinterpret_cast<Pointer>(dlsym(library, name));
    if (function == nullptr) {
        refuse(std::string("the NVIDIA driver is too old: its libcuda.so.1 has no ") + name);
    }
}

Driver load() {
    void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        refuse(std::string("the NVIDIA driver's library cannot be loaded: ") + dlerror());
    }
    Driver driver{};
    find(library, "cuInit", driver.init);
    find(library, "cuDriverGetVersion", driver.driver_get_version);
    find(library, "cuGetErrorString", driver.get_error_string);
    find(library, "cuDeviceGetCount", driver.device_get_count);
    find(library, "cuDeviceGet", driver.device_get);
    find(library, "cuDeviceGetAttribute", driver.device_get_attribute);
    find(library, "cuDevicePrimaryCtxRetain", driver.primary_context_retain);
    find(library, "cuDevicePrimaryCtxRelease_v2", driver.primary_context_release);
    find(library, "cuCtxPushCurrent_v2", driver.context_push);
    find(library, "cuCtxPopCurrent_v2", driver.context_pop);
    find(library, "cuCtxSynchronize", driver.context_synchronize);
    find(library, "cuModuleLoadData", driver.module_load_data);
    find(library, "cuModuleUnload", driver.module_unload);
    find(library, "cuModuleGetFunction", driver.module_get_function);
    find(library, "cuMemAlloc_v2", driver.memory_allocate);
    find(library, "cuMemFree_v2", driver.memory_free);
    find(library, "cuMemsetD8Async", driver.memory_set);
    find(library, "cuMemHostAlloc", driver.host_allocate);
    find(library, "cuMemFreeHost", driver.host_free);
    find(library, "cuMemcpyHtoDAsync_v2", driver.copy_to_device);
    find(library, "cuEventCreate", driver.event_create);
    find(library, "cuEventDestroy_v2", driver.event_destroy);
    find(library, "cuEventRecord", driver.event_record);
    find(library, "cuEventSynchronize", driver.event_synchronize);
    find(library, "cuPointerGetAttribute", driver.pointer_get_attribute);
    find(library, "cuLaunchKernel", driver.launch_kernel);
    return driver;
}

Driver start() {
    const Driver driver = load();
    int version = 0;
    check(driver, driver.driver_get_version(&version), "the NVIDIA driver does not tell its version");
    if (version < kOldestDriver) {
        refuse("the NVIDIA driver is too old: it is for " + cuda_version(version) +
               ", and these kernels need one for " + cuda_version(kOldestDriver) + " or newer");
    }
    const Result result = driver.init(0);
    int count = 0;
    if (result != kNoDevice) {
        check(driver, result, "the NVIDIA driver does not start");
        check(driver, driver.device_get_count(&count), "the NVIDIA driver does not count its GPUs");
    }
    if (count == 0) {
        refuse("the NVIDIA driver sees no GPU");
    }
    return driver;
}

}  // namespace

void check(const Driver& driver, Result result, const char* what) {
    if (result == kSuccess) {
        return;
    }
    const char* text = nullptr;
    if (driver.get_error_string(result, &text) != kSuccess || text == nullptr) {
        text = "unknown error";
    }
    refuse(std::string(what) + ": " + text + " (CUDA error " + std::to_string(result) + ")");
}

int compute_capability(const Driver& driver, DeviceHandle device) {
    int major = 0, minor = 0;
    const char* const what = "the NVIDIA driver does not tell a GPU's compute capability";
    check(driver, driver.device_get_attribute(&major, kCapabilityMajor, device), what);
    check(driver, driver.device_get_attribute(&minor, kCapabilityMinor, device), what);
    return 10 * major + minor;
}

void check_capability(int ordinal, int capability) {
    if (capability < kOldestCapability) {
        refuse("GPU " + std::to_string(ordinal) + " has compute capability " +
               std::to_string(capability / 10) + "." + std::to_string(capability % 10) +
               ", and these kernels need 7.5 or newer");
    }
}

const Driver& driver() {
    static const Driver started = start();  // tried again by the next call if it throws
    return started;
}

CurrentContext::CurrentContext(const Driver& driver, Context context) : driver_(driver) {
    check(driver, driver.context_push(context), "the GPU's context cannot be used");
}

CurrentContext::~CurrentContext() {
    Context popped;
    driver_.context_pop(&popped);
}

std::string unavailable_reason() {
    try {
        const Driver& driver = cuda::driver();
        int count = 0;
        check(driver, driver.device_get_count(&count), "the NVIDIA driver does not count its GPUs");
        int capability = 0;
        for (int ordinal = 0; ordinal < count && capability < kOldestCapability; ++ordinal) {
            DeviceHandle device;
            check(driver, driver.device_get(&device, ordinal), "a GPU cannot be opened");
            capability = compute_capability(driver, device);
        }
        check_capability(count - 1, capability);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return {};
}

}  // namespace tundish::cuda
