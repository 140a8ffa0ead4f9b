// The operators on an NVIDIA GPU, through the driver that the machine has; nothing is linked against CUDA.
//
// Results equal those of the CPU form bit for bit. Pointers are to the GPU's memory, and work is put on the
// caller's stream: a call returns before it is done, and orders nothing with other streams.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "tundish/pool_normalize.h"
#include "tundish/resize_normalize.h"
#include "tundish/softmax_top_k.h"

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

// Bytes of the workspace that resize_normalize_into needs for images and windows of these sizes. It never
// falls as an image grows, so that the largest that can come are enough. Planes are not looked at. Sizes must
// be valid as resize_normalize_into says.
std::size_t resize_normalize_workspace_bytes(const ImageView* images, const Window* windows,
                                             std::size_t count, std::int64_t height, std::int64_t width,
                                             Filter filter);

// tundish::resize_normalize_into with images and destination in the GPU's memory: one copy of tables to the
// GPU and one launch on `stream`, whatever the number and sizes of the images (65535 at most). It waits for
// the copy of the workspace's previous call, and for nothing else; allocates nothing on the GPU, and on the
// host what the weights of one axis take, freed before the return.
//
// The memory of images and destination must stay until the work is done. Throws std::invalid_argument also
// for a format but rgb and bgr, if the memory is not this GPU's or the workspace
// is too small, and std::runtime_error if the driver refuses; then nothing was launched.
void resize_normalize_into(const Destination& destination, const ImageView* images, const Window* windows,
                           std::size_t count, PixelFormat format, Filter filter,
                           const Normalization& normalization, Workspace& workspace, Stream stream);

// The two below are tundish::pool_normalize_into and tundish::softmax_top_k_into with all arrays in the GPU's
// memory: one launch on `stream`, a block for each row, and no scratch memory. Neither waits for anything.
// They throw std::invalid_argument also if an array is not in this GPU's memory or there are more than 2^31 -
// 1 rows, and std::runtime_error if the driver refuses.
//
// A row is looked through k times: where k is large, sorting is faster.
template <typename Index>
void softmax_top_k_into(const TopK<Index>& destination, const LogitsView& logits, ScoreFunction function,
                        const Device& device, Stream stream);

template <typename Mask>
void pool_normalize_into(float* destination, const TokenVectors<Mask>& tokens, Pooling pooling,
                         bool normalize, const Device& device, Stream stream);

extern template void softmax_top_k_into(const TopK<std::int32_t>&, const LogitsView&, ScoreFunction,
                                        const Device&, Stream);
extern template void softmax_top_k_into(const TopK<std::int64_t>&, const LogitsView&, ScoreFunction,
                                        const Device&, Stream);
extern template void pool_normalize_into(float*, const TokenVectors<std::uint8_t>&, Pooling, bool,
                                         const Device&, Stream);
extern template void pool_normalize_into(float*, const TokenVectors<std::int32_t>&, Pooling, bool,
                                         const Device&, Stream);
extern template void pool_normalize_into(float*, const TokenVectors<std::int64_t>&, Pooling, bool,
                                         const Device&, Stream);

}  // namespace tundish::cuda
