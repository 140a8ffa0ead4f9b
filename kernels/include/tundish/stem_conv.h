// The first convolution of a quantised network of images, on the CPU: from the network's floats on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tundish/conv_side.h"
#include "tundish/isa.h"

namespace tundish {

class PatchFilters;

// What ONNX's QuantizeLinear takes besides the image, with a scale and zero for each of its three channels,
// and what its QLinearConv takes besides what that gives: C-contiguous arrays that are read while the filters
// are made and no longer. Dilations must be 1.
struct StemConvArguments {
    std::int64_t channels;  // of the output
    ConvSide rows;
    ConvSide columns;
    const float* pixel_scales;        // [3]
    const std::uint8_t* pixel_zeros;  // [3]
    const std::int8_t* weights;       // [channels, 3, rows.kernel, columns.kernel], of zero point 0
    const std::int32_t* biases;       // [channels], in steps of input scale × weight scale
    const float* scales;              // [channels]: input scale × weight scale / output scale
    std::uint8_t input_zero;          // which padding holds, whatever the zeros of the pixels are
    std::uint8_t output_zero;
};

// A pixel is p = round(x / pixel scale) + pixel zero, held within 0 to 255, NaN as the lowest; a value is y =
// round(scale × (bias + the sum of weight × (p - input_zero))) + output_zero, held within 0 to 255: sums are
// exact, quotients and products with the scale are rounded to float32, halves are rounded to even. All
// instruction sets give the same bits, and ONNX Runtime's QuantizeLinear and QLinearConv do too.
class StemConv {
  public:
    // Throws as DepthwiseConv's does.
    explicit StemConv(const StemConvArguments& arguments, Isa isa = selected_isa());

    std::int64_t channels() const { return channels_; }
    const ConvSide& rows() const { return rows_; }
    const ConvSide& columns() const { return columns_; }

    // Parts of the work on a batch of images, which write apart from each other: any number of threads may do
    // them in any order.
    std::size_t parts(std::int64_t batch, std::int64_t rows) const;

    // Does one of them. `images` is C-contiguous [batch, 3, rows, columns], `destination` [batch, output
    // rows, output columns, channels]; both are the caller's and share no byte. Scratch memory is three bytes
    // for each pixel that sixteen rows of output read, and for each column; it is freed before the return.
    // The arguments are not checked. Throws std::bad_alloc.
    void run_part(std::uint8_t* destination, const float* images, std::int64_t rows, std::int64_t columns,
                  std::size_t part) const;

  private:
    std::int64_t channels_;
    ConvSide rows_;
    ConvSide columns_;
    float pixel_scales_[3];
    std::uint8_t pixel_zeros_[3];
    std::uint8_t input_zero_;
    Isa isa_;
    std::shared_ptr<const PatchFilters> filters_;
};

// Does all parts on the calling thread. Checks what `run_part` does not: throws std::invalid_argument for a
// null pointer, a size outside 1 to 2^20, an image that is smaller than the kernel, shared memory.
void stem_conv_into(std::uint8_t* destination, const StemConv& conv, const float* images, std::int64_t batch,
                    std::int64_t rows, std::int64_t columns);

}  // namespace tundish
