// Rows of an image with their padding, whose channels are last, in scratch memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "aligned_vector.h"
#include "conv_filters.h"

namespace tundish {

class PaddedImage {
  public:
    // All bytes are `zero`: those of the rows, and `beyond` others behind them.
    PaddedImage(const ConvSide& side, std::int64_t columns, std::size_t channels, std::size_t rows,
                std::size_t beyond, std::uint8_t zero)
        : before_(as_size(side.before) * channels),
          row_bytes_((as_size(side.before) + as_size(columns) + as_size(side.after)) * channels),
          bytes_(rows * row_bytes_ + beyond, zero) {}

    const std::uint8_t* data() const { return bytes_.data(); }
    std::size_t row_bytes() const { return row_bytes_; }

    // Where the columns of the image begin.
    std::uint8_t* inside(std::size_t row) { return bytes_.data() + row * row_bytes_ + before_; }

  private:
    std::size_t before_;
    std::size_t row_bytes_;
    AlignedVector<std::uint8_t> bytes_;
};

}  // namespace tundish
