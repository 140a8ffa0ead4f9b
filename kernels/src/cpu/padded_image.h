// Rows of an image with their padding, whose channels are last, in scratch memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "conv_filters.h"
#include "scratch.h"

namespace tundish {

class PaddedImage {
  public:
    // All bytes are `zero`: those of the rows, and `beyond` others behind them.
    PaddedImage(const ConvSide& side, std::int64_t columns, std::size_t channels, std::size_t rows,
                std::size_t beyond, std::uint8_t zero)
        : before_(as_size(side.before) * channels),
          row_bytes_((as_size(side.before) + as_size(columns) + as_size(side.after)) * channels),
          bytes_(scratch_.reserve(rows * row_bytes_ + beyond)) {
        std::fill_n(bytes_, rows * row_bytes_ + beyond, zero);
    }

    const std::uint8_t* data() const { return bytes_; }
    std::size_t row_bytes() const { return row_bytes_; }

    // Where the columns of the image begin.
    std::uint8_t* inside(std::size_t row) { return bytes_ + row * row_bytes_ + before_; }

  private:
    std::size_t before_;
    std::size_t row_bytes_;
    Scratch<std::uint8_t> scratch_;
    std::uint8_t* bytes_;
};

}  // namespace tundish
