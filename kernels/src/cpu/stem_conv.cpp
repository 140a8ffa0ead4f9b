// Makes the filters of a network's first convolution, rounds its pixels and does it.
#include "tundish/stem_conv.h"

#include <algorithm>

#include "arguments.h"
#include "conv_filters.h"
#include "memory.h"
#include "padded_image.h"
#include "patch_filters.h"
#include "scratch.h"
#include "stem_conv_loops.h"

namespace tundish {
namespace {

constexpr std::size_t kStemRowsOfPart = 16;  // of output: of the input's rows, few are rounded for two parts

std::shared_ptr<const PatchFilters> filters_of(const StemConvArguments& arguments, Isa isa) {
    check_range("rows.dilation", arguments.rows.dilation, 1, 1);
    check_range("columns.dilation", arguments.columns.dilation, 1, 1);
    check_memory("pixel_scales", arguments.pixel_scales);
    check_memory("pixel_zeros", arguments.pixel_zeros);
    for (std::size_t channel = 0; channel < kStemChannels; ++channel) {
        check_scale(element("pixel_scales", channel), arguments.pixel_scales[channel]);
    }
    const ConvChannels channels{arguments.channels, arguments.biases, arguments.scales, arguments.input_zero};
    return std::make_shared<PatchFilters>(channels, arguments.rows, arguments.columns, kStemChannels,
                                          arguments.weights, arguments.output_zero, isa);
}

}  // namespace

StemConv::StemConv(const StemConvArguments& arguments, Isa isa)
    : channels_(arguments.channels),
      rows_(arguments.rows),
      columns_(arguments.columns),
      input_zero_(arguments.input_zero),
      isa_(isa),
      filters_(filters_of(arguments, isa)) {
    std::copy_n(arguments.pixel_scales, kStemChannels, pixel_scales_);
    std::copy_n(arguments.pixel_zeros, kStemChannels, pixel_zeros_);
}

std::size_t StemConv::parts(std::int64_t batch, std::int64_t rows) const {
    return as_size(batch) * parts_of_image(rows_, rows, kStemRowsOfPart);
}

void StemConv::run_part(std::uint8_t* destination, const float* images, std::int64_t rows,
                        std::int64_t columns, std::size_t part) const {
    const StemConvLoops& loops = stem_conv_loops(isa_);
    const std::size_t bands = parts_of_image(rows_, rows, kStemRowsOfPart), image = part / bands,
                      band = part % bands;
    const std::size_t output_rows = as_size(rows_.outputs(rows)),
                      outputs = as_size(columns_.outputs(columns));
    const std::size_t begin = band * kStemRowsOfPart, end = std::min(begin + kStemRowsOfPart, output_rows);
    const std::size_t stride = as_size(rows_.stride), kernel = as_size(rows_.kernel);
    const std::size_t read = (end - begin - 1) * stride + kernel;

    PaddedImage pixels(columns_, columns, kStemChannels, read, filters_->runs().beyond(), input_zero_);
    Scratch<std::uint8_t> scratch;
    std::uint8_t* const rounded = scratch.reserve(as_size(columns) * kStemChannels);
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
            loops.quantize(planes, scales, as_size(columns), rounded, pixels.inside(i));
        }
    }
    filters_->convolve({pixels.data(), pixels.row_bytes(), end - begin, outputs},
                       destination + (image * output_rows + begin) * outputs * as_size(channels_));
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
