// What Device and Workspace hold.
#pragma once

#include "driver.h"
#include "tundish/cuda.h"

namespace tundish::cuda {

struct Device::State {
    const Driver* driver = nullptr;
    int ordinal = 0;
    DeviceHandle device = 0;
    Context context = nullptr;
    Module module = nullptr;
    Function resize_normalize = nullptr;

    ~State();
};

struct Workspace::State {
    const Device::State* device = nullptr;
    std::size_t bytes = 0;
    void* host = nullptr;
    DevicePointer memory = 0;
    Event copied = nullptr;  // the last copy from host to memory

    ~State();
};

// Throws std::invalid_argument unless the pointer is to memory of this GPU, of the current context.
void check_on_device(const Device::State& device, const void* pointer, const std::string& name);

}  // namespace tundish::cuda
