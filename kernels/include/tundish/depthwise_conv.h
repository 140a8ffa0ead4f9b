// Depthwise convolutions of quantised images, on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tundish/conv_side.h"
#include "tundish/isa.h"

namespace tundish {

class ConvFilters;

// What ONNX's QLinearConv takes besides the image, where `group` is the number of channels and each has one
// filter: C-contiguous arrays that are read while the filters are made and no longer.
struct DepthwiseConvArguments {
    std::int64_t channels;
    ConvSide rows;
    ConvSide columns;
    const std::int8_t* weights;  // [channels, rows.kernel, columns.kernel], of zero point 0
    const std::int32_t* biases;  // [channels], in steps of input scale × weight scale
    const float* scales;         // [channels]: input scale × weight scale / output scale
    std::uint8_t input_zero;
    std::uint8_t output_zero;
};

// A depthwise convolution, its filters in the order in which the loops of an instruction set read them.
//
// A value is y = round(scale × (bias + the sum of weight × (x - input_zero))) + output_zero, held within 0 to
// 255: sums are exact, products with the scale are rounded to float32, halves are rounded to even. All
// instruction sets give the same bits, and ONNX Runtime's QLinearConv does too.
class DepthwiseConv {
  public:
    // Throws std::invalid_argument, with one sentence that says what was expected and what came: a null
    // pointer, a size, stride or dilation outside 1 to 2^20, padding outside 0 to 2^20, more than 2^20
    // weights in a filter, a scale that is not positive and finite, sums that 32 bits may not hold, an
    // instruction set that is not available. Throws std::bad_alloc.
    explicit DepthwiseConv(const DepthwiseConvArguments& arguments, Isa isa = selected_isa());

    std::int64_t channels() const { return channels_; }
    const ConvSide& rows() const { return rows_; }
    const ConvSide& columns() const { return columns_; }

    // Parts of the work on a batch of images, which write apart from each other: any number of threads may do
    // them in any order.
    std::size_t parts(std::int64_t batch, std::int64_t rows) const;

    // Does one of them. `images` is C-contiguous [batch, rows, columns, channels], `destination` [batch,
    // output rows, output columns, channels]; both are the caller's and share no byte. Scratch memory is 256
    // bytes for each column with its padding, for each four rows of the kernel; it is freed before the
    // return. The arguments are not checked. Throws std::bad_alloc.
    void run_part(std::uint8_t* destination, const std::uint8_t* images, std::int64_t rows,
                  std::int64_t columns, std::size_t part) const;

  private:
    std::int64_t channels_;
    ConvSide rows_;
    ConvSide columns_;
    std::uint8_t input_zero_;
    std::uint8_t output_zero_;
    Isa isa_;
    std::shared_ptr<const ConvFilters> filters_;
};

// Does all parts on the calling thread. Checks what `run_part` does not: throws std::invalid_argument for a
// null pointer, a size outside 1 to 2^20, an image that is smaller than the kernel, shared memory.
void depthwise_conv_into(std::uint8_t* destination, const DepthwiseConv& conv, const std::uint8_t* images,
                         std::int64_t batch, std::int64_t rows, std::int64_t columns);

}  // namespace tundish
