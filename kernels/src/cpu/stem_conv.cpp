// Makes the filters of a network's first convolution, and does it row by row of output and block by block of
// channels.
#include "tundish/stem_conv.h"

#include <algorithm>
#include <vector>

#include "arguments.h"
#include "conv_filters.h"
#include "memory.h"
#include "scratch.h"
#include "stem_conv_loops.h"

namespace tundish {
namespace {

constexpr std::size_t kRowsOfPart = 16;  // of output: of the input's rows, few are rounded for two parts

// How often a row of the kernel is taken by fours.
std::size_t fours_of(const ConvSide& columns) {
    return (as_size(columns.kernel) * kStemChannels + kFour - 1) / kFour;
}

std::shared_ptr<const ConvFilters> filters_of(const StemConvArguments& arguments, Isa isa) {
    check_side("rows", arguments.rows);
    check_side("columns", arguments.columns);
    check_range("rows.dilation", arguments.rows.dilation, 1, 1);
    check_range("columns.dilation", arguments.columns.dilation, 1, 1);
    check_range("the weights of a filter", arguments.rows.kernel * arguments.columns.kernel, 1, kLargestSize);
    check_memory("weights", arguments.weights);
    check_memory("pixel_scales", arguments.pixel_scales);
    check_memory("pixel_zeros", arguments.pixel_zeros);
    for (std::size_t channel = 0; channel < kStemChannels; ++channel) {
        check_scale(element("pixel_scales", channel), arguments.pixel_scales[channel]);
    }
    const ConvChannels channels{arguments.channels, arguments.biases, arguments.scales, arguments.input_zero};
    const std::size_t rows = as_size(arguments.rows.kernel), columns = as_size(arguments.columns.kernel);
    const std::size_t fours = fours_of(arguments.columns);
    const auto filters = std::make_shared<ConvFilters>(channels, rows * fours, isa);
    const std::int8_t* weight = arguments.weights;
    for (std::size_t channel = 0; channel < as_size(arguments.channels); ++channel) {
        for (std::size_t colour = 0; colour < kStemChannels; ++colour) {
            for (std::size_t row = 0; row < rows; ++row) {
                for (std::size_t column = 0; column < columns; ++column) {
                    const std::size_t byte = column * kStemChannels + colour;
                    filters->put(channel, row * fours + byte / kFour, byte % kFour, *weight++);
                }
            }
        }
    }
    filters->finish(channels);
    return filters;
}

// The pixels that some rows of output read, with their padding.
class Pixels {
  public:
    Pixels(const ConvSide& side, std::int64_t columns, std::size_t rows, std::uint8_t zero)
        : before_(as_size(side.before) * kStemChannels),
          columns_(as_size(columns)),
          row_bytes_(before_ + (columns_ + as_size(side.after)) * kStemChannels),
          planes_(scratch_.reserve(columns_ * kStemChannels + rows * row_bytes_ + kFour)),
          pixels_(planes_ + columns_ * kStemChannels) {
        std::fill_n(pixels_, rows * row_bytes_ + kFour, zero);  // loads by fours may reach beyond the last
    }

    const std::uint8_t* row(std::size_t index) const { return pixels_ + index * row_bytes_; }
    std::size_t row_bytes() const { return row_bytes_; }

    void quantize(const StemConvLoops& loops, const float* const* planes, const PixelScale* scales,
                  std::size_t index) {
        loops.quantize(planes, scales, columns_, planes_, pixels_ + index * row_bytes_ + before_);
    }

  private:
    Scratch<std::uint8_t> scratch_;
    std::size_t before_;
    std::size_t columns_;
    std::size_t row_bytes_;
    std::uint8_t* planes_;
    std::uint8_t* pixels_;
};

}  // namespace

StemConv::StemConv(const StemConvArguments& arguments, Isa isa)
    : channels_(arguments.channels),
      rows_(arguments.rows),
      columns_(arguments.columns),
      input_zero_(arguments.input_zero),
      output_zero_(arguments.output_zero),
      isa_(isa),
      filters_(filters_of(arguments, isa)) {
    std::copy_n(arguments.pixel_scales, kStemChannels, pixel_scales_);
    std::copy_n(arguments.pixel_zeros, kStemChannels, pixel_zeros_);
}

std::size_t StemConv::parts(std::int64_t batch, std::int64_t rows) const {
    return as_size(batch) * parts_of_image(rows_, rows, kRowsOfPart);
}

void StemConv::run_part(std::uint8_t* destination, const float* images, std::int64_t rows,
                        std::int64_t columns, std::size_t part) const {
    const StemConvLoops& loops = stem_conv_loops(isa_);
    const std::size_t bands = parts_of_image(rows_, rows, kRowsOfPart), image = part / bands,
                      band = part % bands;
    const std::size_t output_rows = as_size(rows_.outputs(rows)),
                      outputs = as_size(columns_.outputs(columns));
    const std::size_t begin = band * kRowsOfPart, end = std::min(begin + kRowsOfPart, output_rows);
    const std::size_t stride = as_size(rows_.stride), kernel = as_size(rows_.kernel);
    const std::size_t read = (end - begin - 1) * stride + kernel;

    Pixels pixels(columns_, columns, read, input_zero_);
    const std::size_t plane = as_size(rows) * as_size(columns);
    PixelScale scales[kStemChannels];
    for (std::size_t channel = 0; channel < kStemChannels; ++channel) {
        scales[channel] = {pixel_scales_[channel], pixel_zeros_[channel]};
    }
    for (std::size_t i = 0; i < read; ++i) {
        const std::int64_t row = static_cast<std::int64_t>(begin * stride + i) - rows_.before;
        if (row >= 0 && row < rows) {
            const float* const first =
                images + image * kStemChannels * plane + as_size(row) * as_size(columns);
            const float* const planes[kStemChannels] = {first, first + plane, first + 2 * plane};
            pixels.quantize(loops, planes, scales, i);
        }
    }
    const std::size_t channels = as_size(channels_);
    for (std::size_t output_row = begin; output_row < end; ++output_row) {
        std::uint8_t* const output = destination + (image * output_rows + output_row) * outputs * channels;
        for (const ConvFilters::Block& block : filters_->blocks()) {
            loops.convolve(
                {pixels.row((output_row - begin) * stride), pixels.row_bytes(), kernel, fours_of(columns_),
                 as_size(columns_.stride) * kStemChannels, filters_->weights(block),
                 filters_->rounding(block, output_zero_), output + block.first, channels, outputs},
                block.width);
        }
    }
}

void stem_conv_into(std::uint8_t* destination, const StemConv& conv, const float* images, std::int64_t batch,
                    std::int64_t rows, std::int64_t columns) {
    const std::size_t outputs =
        check_images(destination, images, conv.rows(), conv.columns(), batch, rows, columns);
    check_disjoint("destination", {destination, outputs * as_size(conv.channels())}, "images",
                   memory_of(images, as_size(batch) * as_size(rows) * as_size(columns) * kStemChannels));
    for (std::size_t part = 0; part < conv.parts(batch, rows); ++part) {
        conv.run_part(destination, images, rows, columns, part);
    }
}

}  // namespace tundish
