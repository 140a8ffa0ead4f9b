// Convolutions of quantised images whose filters read all channels, on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tundish/conv_side.h"
#include "tundish/isa.h"

namespace tundish {

class PatchFilters;

// What ONNX's QLinearConv takes besides the image, where `group` is 1: C-contiguous arrays that are read
// while the filters are made and no longer.
struct DenseConvArguments {
    std::int64_t channels;  // of the output
    std::int64_t reads;     // channels of the image
    ConvSide rows;
    ConvSide columns;
    const std::int8_t* weights;  // [channels, reads, rows.kernel, columns.kernel], of zero point 0
    const std::int32_t* biases;  // [channels], in steps of input scale × weight scale
    const float* scales;         // [channels]: input scale × weight scale / output scale
    std::uint8_t input_zero;
    std::uint8_t output_zero;
};

// A value is what DepthwiseConv's is, of the products with all channels. All instruction sets give the same
// bits, and ONNX Runtime's QLinearConv does too. With AMX the convolution is one of matrices; without it is
// no faster than ONNX Runtime's.
class DenseConv {
  public:
    // Throws as DepthwiseConv's does.
    explicit DenseConv(const DenseConvArguments& arguments, Isa isa = selected_isa());

    std::int64_t channels() const { return channels_; }
    std::int64_t reads() const { return reads_; }
    const ConvSide& rows() const { return rows_; }
    const ConvSide& columns() const { return columns_; }

    // Parts of the work on a batch of images, which write apart from each other: any number of threads may do
    // them in any order.
    std::size_t parts(std::int64_t batch, std::int64_t rows) const;

    // Does one of them. `images` is C-contiguous [batch, rows, columns, reads], `destination` [batch, output
    // rows, output columns, channels]; both are the caller's and share no byte. Scratch memory is the rows
    // that eight of output read, with their padding, where there is any; it is freed before the return. The
    // arguments are not checked. Throws std::bad_alloc.
    void run_part(std::uint8_t* destination, const std::uint8_t* images, std::int64_t rows,
                  std::int64_t columns, std::size_t part) const;

  private:
    bool reads_in_place() const;

    std::int64_t channels_;
    std::int64_t reads_;
    ConvSide rows_;
    ConvSide columns_;
    std::uint8_t input_zero_;
    std::shared_ptr<const PatchFilters> filters_;
};

// Does all parts on the calling thread. Checks what `run_part` does not: throws std::invalid_argument for a
// null pointer, a size outside 1 to 2^20, an image that is smaller than the kernel, shared memory.
void dense_conv_into(std::uint8_t* destination, const DenseConv& conv, const std::uint8_t* images,
                     std::int64_t batch, std::int64_t rows, std::int64_t columns);

}  // namespace tundish
