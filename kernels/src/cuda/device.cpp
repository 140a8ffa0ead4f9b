// Opens a GPU, loads the kernels into it and keeps memory for their tables.
#include "device.h"

#include <algorithm>
#include <string>

#include "../cpu/arguments.h"

namespace tundish::cuda {
namespace {

constexpr unsigned kEventWithoutTiming = 2;  // CU_EVENT_DISABLE_TIMING
constexpr int kMemoryType = 2;               // CU_POINTER_ATTRIBUTE_MEMORY_TYPE
constexpr int kDeviceOrdinal = 9;            // CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
constexpr unsigned kDeviceMemory = 2;        // CU_MEMORYTYPE_DEVICE

Function function(const char* name, const Device::State& device) {
    Function found = nullptr;
    check(*device.driver, device.driver->module_get_function(&found, device.module, name),
          "the kernels of this build are not complete");
    return found;
}

}  // namespace

// Results are ignored: at the end of a process the driver may be gone before us.
Device::State::~State() {
    if (context == nullptr) {
        return;
    }
    if (module != nullptr && driver->context_push(context) == kSuccess) {
        driver->module_unload(module);
        driver->context_pop(&context);
    }
    driver->primary_context_release(device);
}

Device::Device(const void* fatbin, int ordinal) : state_(std::make_unique<State>()) {
    const Driver& driver = cuda::driver();
    State& state = *state_;
    state.driver = &driver;
    state.ordinal = ordinal;
    int count = 0;
    check(driver, driver.device_get_count(&count), "the NVIDIA driver does not count its GPUs");
    check_range("ordinal", ordinal, 0, count - 1);
    check(driver, driver.device_get(&state.device, ordinal), "the GPU cannot be opened");
    check_capability(ordinal, compute_capability(driver, state.device));
    check(driver, driver.primary_context_retain(&state.context, state.device),
          "the GPU's context cannot be opened");
    const CurrentContext current(driver, state.context);
    check(driver, driver.module_load_data(&state.module, fatbin),
          "the kernels cannot be loaded into the GPU");
    state.non_max_suppression = function("tundish_non_max_suppression", state);
    state.non_max_suppression_collect = function("tundish_non_max_suppression_collect", state);
    state.non_max_suppression_rotated = function("tundish_non_max_suppression_rotated", state);
    state.pack = function("tundish_pack", state);
    state.pool_normalize = function("tundish_pool_normalize", state);
    state.resize_normalize = function("tundish_resize_normalize", state);
    state.resize_normalize_point = function("tundish_resize_normalize_point", state);
    state.resize_normalize_point_converted = function("tundish_resize_normalize_point_converted", state);
    state.run_length_encode = function("tundish_run_length_encode", state);
    state.run_length_encode_pack = function("tundish_run_length_encode_pack", state);
    state.softmax_top_k = function("tundish_softmax_top_k", state);
    state.upsample_argmax = function("tundish_upsample_argmax", state);
    state.wordpiece = function("tundish_wordpiece", state);
}

Device::~Device() = default;

int Device::ordinal() const { return state_->ordinal; }

Workspace::State::~State() {
    const Driver& driver = *device->driver;
    if (driver.context_push(device->context) != kSuccess) {
        return;
    }
    driver.context_synchronize();
    if (copied != nullptr) {
        driver.event_destroy(copied);
    }
    if (memory != 0) {
        driver.memory_free(memory);
    }
    if (host != nullptr) {
        driver.host_free(host);
    }
    Context popped;
    driver.context_pop(&popped);
}

Workspace::Workspace(const Device& device, std::size_t bytes) : state_(std::make_unique<State>()) {
    State& state = *state_;
    state.device = &device.state();
    state.bytes = bytes;
    const Driver& driver = *state.device->driver;
    const CurrentContext current(driver, state.device->context);
    const std::size_t at_least_one = std::max<std::size_t>(bytes, 1);
    check(driver, driver.memory_allocate(&state.memory, at_least_one),
          "the workspace cannot be had on the GPU");
    check(driver, driver.host_allocate(&state.host, at_least_one, 0),
          "the workspace cannot be had on the host");
    check(driver, driver.event_create(&state.copied, kEventWithoutTiming), "an event cannot be created");
}

Workspace::~Workspace() = default;

std::size_t Workspace::bytes() const { return state_->bytes; }

void check_on_device(const Device::State& device, const void* pointer, const std::string& name) {
    const Driver& driver = *device.driver;
    const auto address = static_cast<DevicePointer>(reinterpret_cast<std::uintptr_t>(pointer));
    const std::string expected = name + " must be in the memory of GPU " + std::to_string(device.ordinal);
    unsigned type = 0;
    if (driver.pointer_get_attribute(&type, kMemoryType, address) != kSuccess || type != kDeviceMemory) {
        reject(expected, "memory of the host");
    }
    int ordinal = -1;
    check(driver, driver.pointer_get_attribute(&ordinal, kDeviceOrdinal, address),
          "the NVIDIA driver does not tell where memory is");
    if (ordinal != device.ordinal) {
        reject(expected, "memory of GPU " + std::to_string(ordinal));
    }
}

void launch(const Device::State& device, Function kernel, LaunchSize grid, LaunchSize block, void* arguments,
            Stream stream, const char* what) {
    void* parameters[] = {arguments};
    check(*device.driver,
          device.driver->launch_kernel(kernel, grid.x, grid.y, grid.z, block.x, block.y, block.z, 0, stream,
                                       parameters, nullptr),
          what);
}

LaunchSize block_for_each_row(const std::string& name, std::int64_t rows) {
    check_range(name, rows, 1, INT32_MAX);
    return {static_cast<unsigned>(rows), 1, 1};
}

}  // namespace tundish::cuda
