// Rows of a region as interleaved pixels, converted when they are asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "row_kernels.h"
#include "tundish/image.h"

namespace tundish {

// Gives rows of bgr images as they are and those of every other format as RGB. For one thread.
class RgbRows {
  public:
    // `kernels` must outlive this.
    RgbRows(const ConvertKernels& kernels, PixelFormat format) : kernels_(kernels), format_(format) {}

    // Chooses what row() gives: pixels [begin, end) of `region` of `image`, both of which must be valid.
    // Throws std::bad_alloc.
    void select(const ImageView& image, const Region& region, std::int64_t begin, std::int64_t end);

    // Pixel `begin` of row y of the region, with the others behind it; nothing else may be read. Valid while
    // no more than kBlock neighbouring rows are asked for, and until the next select().
    const std::uint8_t* row(std::int64_t y);

  private:
    void convert(std::int64_t y, std::uint8_t* rgb) const;
    void convert_bayer(std::int64_t y, std::uint8_t* rgb) const;
    const std::uint8_t* plane_row(int plane, std::int64_t y) const {
        return image_.planes[plane].data + y * image_.planes[plane].row_stride;
    }

    const ConvertKernels& kernels_;
    const PixelFormat format_;
    ImageView image_{};
    std::int64_t top_ = 0;
    // What is converted of a row of the image: `begin_` and `end_` are even where two pixels share chroma, so
    // that `skip_` pixels before those asked for may come along.
    std::int64_t begin_ = 0;
    std::int64_t end_ = 0;
    std::int64_t skip_ = 0;
    std::int64_t held_[kBlock];  // the row of the image in each slot, or -1
    std::vector<std::uint8_t> slots_;
};

}  // namespace tundish
