// Makes the filters of a convolution that reads all channels, and does it, in the image where it can.
#include "tundish/dense_conv.h"

#include <algorithm>

#include "conv_filters.h"
#include "memory.h"
#include "padded_image.h"
#include "patch_filters.h"

namespace tundish {
namespace {

constexpr std::size_t kDenseRowsOfPart = 8;  // of output: what they read stays in the cache

}  // namespace

DenseConv::DenseConv(const DenseConvArguments& arguments, Isa isa)
    : channels_(arguments.channels),
      reads_(arguments.reads),
      rows_(arguments.rows),
      columns_(arguments.columns),
      input_zero_(arguments.input_zero),
      filters_(std::make_shared<PatchFilters>(
          ConvChannels{arguments.channels, arguments.biases, arguments.scales, arguments.input_zero},
          arguments.rows, arguments.columns, arguments.reads, arguments.weights, arguments.output_zero,
          isa)) {}

std::size_t DenseConv::parts(std::int64_t batch, std::int64_t rows) const {
    return as_size(batch) * parts_of_image(rows_, rows, kDenseRowsOfPart);
}

// Whether all that is read is there in the image.
bool DenseConv::reads_in_place() const {
    return rows_.before == 0 && rows_.after == 0 && columns_.before == 0 && columns_.after == 0 &&
           filters_->runs().beyond() == 0;
}

void DenseConv::run_part(std::uint8_t* destination, const std::uint8_t* images, std::int64_t rows,
                         std::int64_t columns, std::size_t part) const {
    const std::size_t bands = parts_of_image(rows_, rows, kDenseRowsOfPart), band = part % bands;
    const std::size_t output_rows = as_size(rows_.outputs(rows)),
                      outputs = as_size(columns_.outputs(columns));
    const std::size_t begin = band * kDenseRowsOfPart, end = std::min(begin + kDenseRowsOfPart, output_rows);
    const std::size_t row_bytes = as_size(columns * reads_);
    const std::uint8_t* const image = images + part / bands * as_size(rows) * row_bytes;
    std::uint8_t* const output =
        destination + (part / bands * output_rows + begin) * outputs * as_size(channels_);
    const std::int64_t first = static_cast<std::int64_t>(begin) * rows_.stride - rows_.before;
    if (reads_in_place()) {
        filters_->convolve({image + as_size(first) * row_bytes, row_bytes, end - begin, outputs}, output);
        return;
    }
    const std::size_t read =
        (end - begin - 1) * as_size(rows_.stride) + as_size((rows_.kernel - 1) * rows_.dilation) + 1;
    PaddedImage padded(columns_, columns, as_size(reads_), read, filters_->runs().beyond(), input_zero_);
    for (std::size_t i = 0; i < read; ++i) {
        const std::int64_t row = first + static_cast<std::int64_t>(i);
        if (row >= 0 && row < rows) {
            std::copy_n(image + as_size(row) * row_bytes, row_bytes, padded.inside(i));
        }
    }
    filters_->convolve({padded.data(), padded.row_bytes(), end - begin, outputs}, output);
}

void dense_conv_into(std::uint8_t* destination, const DenseConv& conv, const std::uint8_t* images,
                     std::int64_t batch, std::int64_t rows, std::int64_t columns) {
    const std::size_t outputs =
        check_images(destination, images, conv.rows(), conv.columns(), batch, rows, columns);
    check_disjoint("destination", {destination, outputs * as_size(conv.channels())}, "images",
                   {images, as_size(batch) * as_size(rows) * as_size(columns) * as_size(conv.reads())});
    for (std::size_t part = 0; part < conv.parts(batch, rows); ++part) {
        conv.run_part(destination, images, rows, columns, part);
    }
}

}  // namespace tundish
