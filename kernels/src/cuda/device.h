// What Device and Workspace hold.
#pragma once

#include <cstdint>
#include <string>

#include "driver.h"
#include "tundish/cuda/device.h"

namespace tundish::cuda {

struct Device::State {
    const Driver* driver = nullptr;
    int ordinal = 0;
    DeviceHandle device = 0;
    Context context = nullptr;
    Module module = nullptr;
    Function non_max_suppression = nullptr;
    Function non_max_suppression_collect = nullptr;
    Function non_max_suppression_rotated = nullptr;
    Function pack = nullptr;
    Function pool_normalize = nullptr;
    Function resize_normalize = nullptr;
    Function resize_normalize_point = nullptr;
    Function resize_normalize_point_converted = nullptr;
    Function run_length_encode = nullptr;
    Function run_length_encode_pack = nullptr;
    Function softmax_top_k = nullptr;
    Function upsample_argmax = nullptr;
    Function wordpiece = nullptr;

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

// Blocks along the second and third axis of a grid, along which some kernels have the images of a batch.
constexpr std::int64_t kMaximumGridImages = 65535;

struct LaunchSize {
    unsigned x, y, z;
};

// Puts a kernel on the stream, with the structure that is its only argument. The device's context must be
// current. Throws std::runtime_error, `what` and the driver's text.
void launch(const Device::State& device, Function kernel, LaunchSize grid, LaunchSize block, void* arguments,
            Stream stream, const char* what);

// The grid of a kernel that gives each row a block. Throws std::invalid_argument if they are too many.
LaunchSize block_for_each_row(const std::string& name, std::int64_t rows);

}  // namespace tundish::cuda
