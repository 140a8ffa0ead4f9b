// A GPU, through the driver that the machine has; nothing is linked against CUDA.
//
// Results of the operators equal those of the CPU forms bit for bit. Pointers are to the GPU's memory, and
// work is put on the caller's stream: a call returns before it is done, and orders nothing with other
// streams.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace tundish::cuda {

// Why no GPU can be used here, in one sentence; empty if one can. The first call loads and starts the driver.
std::string unavailable_reason();

// A CUstream, as cudaStream_t also is; null is the legacy default stream.
using Stream = void*;

// The primary context of a GPU, shared with CUDA's runtime and with every library that uses it, and our
// kernels in it. Safe to use from many threads.
class Device {
  public:
    // `fatbin` is the content of kernels.fatbin, borrowed for the call. Throws std::invalid_argument if there
    // is no GPU of this number, std::runtime_error with one sentence if it cannot be used.
    Device(const void* fatbin, int ordinal);
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    int ordinal() const;

    struct State;
    const State& state() const { return *state_; }

  private:
    std::unique_ptr<State> state_;
};

// Memory that a call needs for its tables, on the GPU and page-locked on the host. Its calls must be on one
// stream, or be ordered by the caller, and must not be made by two threads at a time.
class Workspace {
  public:
    // `device` must outlive this. Throws std::runtime_error if there is not so much memory.
    Workspace(const Device& device, std::size_t bytes);
    // Waits for the GPU to be done with it.
    ~Workspace();
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    std::size_t bytes() const;

    struct State;
    State& state() { return *state_; }

  private:
    std::unique_ptr<State> state_;
};

}  // namespace tundish::cuda
