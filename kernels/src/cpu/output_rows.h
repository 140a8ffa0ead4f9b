// Writes rows of pixels into one image of an output: its type, layout, order of channels, and padding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "store_rows.h"
#include "tundish/image.h"

namespace tundish {

// The functor of one channel. Its numbers may be infinite, if std is tiny.
NormalizePixel make_normalize(const Normalization& normalization, std::size_t channel);

// Half-open rectangle of output pixels; may be empty.
struct Rectangle {
    std::int64_t top, bottom, left, right;
};

// One call's output format and normalisation. For one thread.
class OutputRows {
  public:
    // Arguments must be valid. `kernels` must outlive this. Rows come in the order of channels of `source`.
    OutputRows(const StoreKernels& kernels, const OutputFormat& format, const Normalization& normalization,
               ChannelOrder source, std::int64_t height, std::int64_t width);

    std::size_t image_bytes() const { return static_cast<std::size_t>(3 * height_ * width_) * size_; }

    // Writes the pad colour everywhere but in `visible`.
    void pad(const Rectangle& visible, std::uint8_t* output);

    // Writes `length` pixels from (y, x) on. `planes` are three of `length` bytes, plane_stride apart.
    void write(const std::uint8_t* planes, std::size_t plane_stride, std::size_t length, std::int64_t y,
               std::int64_t x, std::uint8_t* output) const;

  private:
    void make_padding();
    void pad_rows(std::int64_t begin, std::int64_t end, std::int64_t left, std::int64_t right,
                  std::uint8_t* output) const;
    template <typename Element>
    void store(const StoreRow<Element>& kernels, const std::uint8_t* const pixels[3], std::size_t length,
               std::int64_t y, std::int64_t x, Element* output) const;

    const StoreKernels& kernels_;
    const OutputFormat format_;
    const bool reversed_;
    const std::int64_t height_;
    const std::int64_t width_;
    const std::size_t size_;  // bytes of an element
    Channel channels_[3];
    std::uint8_t pad_[3];
    std::vector<std::uint8_t> padding_;  // as hwc: a row; as chw: a row of each channel; made when needed
};

}  // namespace tundish
