// Makes the filters of a depthwise convolution, and does it row by row of output and block by block of
// channels.
#include "tundish/depthwise_conv.h"

#include <algorithm>
#include <vector>

#include "arguments.h"
#include "conv_filters.h"
#include "depthwise_conv_loops.h"
#include "memory.h"
#include "scratch.h"

namespace tundish {
namespace {

constexpr std::size_t kDepthwiseRowsOfPart =
    14;                                 // of output: long enough that a part is worth its scratch memory
constexpr std::size_t kAlignment = 64;  // of what registers load from at best
constexpr std::size_t kWidest = 64;     // channels of a block

// How often the rows of the kernel are taken by fours: arrays of interleaved rows.
std::size_t arrays_of(const ConvSide& rows) { return (as_size(rows.kernel) + kFour - 1) / kFour; }

std::shared_ptr<const ConvFilters> filters_of(const DepthwiseConvArguments& arguments, Isa isa) {
    check_side("rows", arguments.rows);
    check_side("columns", arguments.columns);
    check_range("the weights of a filter", arguments.rows.kernel * arguments.columns.kernel, 1, kLargestSize);
    check_memory("weights", arguments.weights);
    const ConvChannels channels{arguments.channels, arguments.biases, arguments.scales, arguments.input_zero};
    const std::size_t rows = as_size(arguments.rows.kernel), columns = as_size(arguments.columns.kernel);
    const std::size_t arrays = arrays_of(arguments.rows);
    const auto filters = std::make_shared<ConvFilters>(channels, columns * arrays, isa);
    const std::int8_t* weight = arguments.weights;
    for (std::size_t channel = 0; channel < as_size(arguments.channels); ++channel) {
        for (std::size_t row = 0; row < rows; ++row) {
            for (std::size_t column = 0; column < columns; ++column) {
                filters->put(channel, column * arrays + row / kFour, row % kFour, *weight++);
            }
        }
    }
    filters->finish(channels);
    return filters;
}

// The rows of an image that a row of output reads, by fours; zeros where there are none.
class SourceRows {
  public:
    SourceRows(const std::uint8_t* image, std::int64_t rows, std::size_t row_bytes, std::size_t channels,
               std::uint8_t zero)
        : image_(image), rows_(rows), row_bytes_(row_bytes), channels_(channels) {
        std::fill_n(zeros_, sizeof zeros_, zero);
    }

    // Those of one array, from the first channel of a block on.
    void gather(const ConvSide& side, std::size_t output_row, std::size_t array, std::size_t channel,
                SourceRow* gathered) const {
        for (std::size_t i = 0; i < kFour; ++i) {
            const auto of_kernel = static_cast<std::int64_t>(array * kFour + i);
            const std::int64_t row =
                static_cast<std::int64_t>(output_row) * side.stride - side.before + of_kernel * side.dilation;
            const bool is_there = of_kernel < side.kernel && row >= 0 && row < rows_;
            gathered[i] = is_there ? SourceRow{image_ + as_size(row) * row_bytes_ + channel, channels_}
                                   : SourceRow{zeros_, 0};
        }
    }

  private:
    const std::uint8_t* image_;
    std::int64_t rows_;
    std::size_t row_bytes_;
    std::size_t channels_;
    std::uint8_t zeros_[kWidest];
};

// Interleaved rows of a block with their padding, one array after the other, and where taps begin in them.
class PaddedRows {
  public:
    PaddedRows(const ConvSide& side, std::int64_t columns, std::size_t arrays, std::size_t widest,
               std::uint8_t zero)
        : side_(side),
          columns_(as_size(columns)),
          arrays_(arrays),
          zero_(zero),
          taps_(as_size(side.kernel) * arrays) {
        std::uint8_t* const memory =
            scratch_.reserve(arrays * padded_columns() * widest * kFour + kAlignment);
        memory_ = memory + (kAlignment - reinterpret_cast<std::uintptr_t>(memory) % kAlignment) % kAlignment;
    }

    // Makes ready for a block of this width: fills the padding.
    void begin(std::size_t width) {
        column_bytes_ = width * kFour;
        for (std::size_t array = 0; array < arrays_; ++array) {
            std::uint8_t* const all = memory_ + array * array_bytes();
            std::fill(all, inside(array), zero_);
            std::fill(inside(array) + columns_ * column_bytes_, all + array_bytes(), zero_);
            for (std::size_t column = 0; column < as_size(side_.kernel); ++column) {
                taps_[column * arrays_ + array] =
                    array * array_bytes() + column * as_size(side_.dilation) * column_bytes_;
            }
        }
    }

    const std::uint8_t* data() const { return memory_; }
    const std::vector<std::size_t>& taps() const { return taps_; }

    // From what a position of output reads to what the next does.
    std::size_t step() const { return as_size(side_.stride) * column_bytes_; }

    // Where the columns of the image begin.
    std::uint8_t* inside(std::size_t array) const {
        return memory_ + array * array_bytes() + as_size(side_.before) * column_bytes_;
    }

  private:
    std::size_t padded_columns() const { return as_size(side_.before) + columns_ + as_size(side_.after); }
    std::size_t array_bytes() const { return padded_columns() * column_bytes_; }

    const ConvSide& side_;
    std::size_t columns_;
    std::size_t arrays_;
    std::uint8_t zero_;
    std::size_t column_bytes_ = 0;
    std::vector<std::size_t> taps_;
    Scratch<std::uint8_t> scratch_;
    std::uint8_t* memory_;
};

}  // namespace

DepthwiseConv::DepthwiseConv(const DepthwiseConvArguments& arguments, Isa isa)
    : channels_(arguments.channels),
      rows_(arguments.rows),
      columns_(arguments.columns),
      input_zero_(arguments.input_zero),
      output_zero_(arguments.output_zero),
      isa_(isa),
      filters_(filters_of(arguments, isa)) {}

std::size_t DepthwiseConv::parts(std::int64_t batch, std::int64_t rows) const {
    return as_size(batch) * parts_of_image(rows_, rows, kDepthwiseRowsOfPart);
}

void DepthwiseConv::run_part(std::uint8_t* destination, const std::uint8_t* images, std::int64_t rows,
                             std::int64_t columns, std::size_t part) const {
    const DepthwiseConvLoops& loops = depthwise_conv_loops(isa_);
    const std::size_t bands = parts_of_image(rows_, rows, kDepthwiseRowsOfPart), image = part / bands,
                      band = part % bands;
    const std::size_t channels = as_size(channels_), arrays = arrays_of(rows_);
    const std::size_t row_bytes = as_size(columns) * channels;
    const std::size_t output_rows = as_size(rows_.outputs(rows)),
                      outputs = as_size(columns_.outputs(columns));
    const SourceRows source(images + image * as_size(rows) * row_bytes, rows, row_bytes, channels,
                            input_zero_);
    PaddedRows padded(columns_, columns, arrays, filters_->blocks().front().width, input_zero_);
    const std::size_t end = std::min((band + 1) * kDepthwiseRowsOfPart, output_rows);
    for (const ChannelBlock& block : filters_->blocks()) {
        const ConvRounding rounding = filters_->rounding(block, output_zero_);
        padded.begin(block.width);
        for (std::size_t output_row = band * kDepthwiseRowsOfPart; output_row < end; ++output_row) {
            for (std::size_t array = 0; array < arrays; ++array) {
                SourceRow gathered[kFour];
                source.gather(rows_, output_row, array, block.first, gathered);
                loops.interleave(gathered, block.width, rounding.valid, as_size(columns),
                                 padded.inside(array));
            }
            std::uint8_t* const output =
                destination + (image * output_rows + output_row) * outputs * channels + block.first;
            loops.convolve({padded.data(), padded.taps().data(), padded.taps().size(), padded.step(),
                            filters_->weights(block), rounding, output, channels, outputs},
                           block.width);
        }
    }
}

void depthwise_conv_into(std::uint8_t* destination, const DepthwiseConv& conv, const std::uint8_t* images,
                         std::int64_t batch, std::int64_t rows, std::int64_t columns) {
    const std::size_t channels = as_size(conv.channels());
    const std::size_t outputs =
        check_images(destination, images, conv.rows(), conv.columns(), batch, rows, columns);
    check_disjoint("destination", {destination, outputs * channels}, "images",
                   {images, as_size(batch) * as_size(rows) * as_size(columns) * channels});
    for (std::size_t part = 0; part < conv.parts(batch, rows); ++part) {
        conv.run_part(destination, images, rows, columns, part);
    }
}

}  // namespace tundish
