// Puts the filters of a convolution where its loops read them.
#include "patch_filters.h"

#include "arguments.h"
#include "memory.h"

namespace tundish {
namespace {

// Checks what the runs are made of.
PatchRuns patch_runs(const ConvSide& rows, const ConvSide& columns, std::int64_t reads,
                     const std::int8_t* weights) {
    check_side("rows", rows);
    check_side("columns", columns);
    check_range("reads", reads, 1, kLargestSize);
    check_range("the weights of a filter for a channel", rows.kernel * columns.kernel, 1, kLargestSize);
    check_range("the weights of a filter", reads * rows.kernel * columns.kernel, 1, kLargestSize);
    check_memory("weights", weights);
    return {rows, columns, as_size(reads)};
}

}  // namespace

PatchFilters::PatchFilters(const ConvChannels& channels, const ConvSide& rows, const ConvSide& columns,
                           std::int64_t reads, const std::int8_t* weights, std::uint8_t output_zero, Isa isa)
    : runs_(patch_runs(rows, columns, reads, weights)),
      filters_(channels, runs_.count() * runs_.fours(), isa),
      row_stride_(as_size(rows.stride)),
      column_bytes_(as_size(columns.stride) * as_size(reads)),
      channels_(as_size(channels.count)),
      isa_(isa) {
    for (std::size_t channel = 0; channel < channels_; ++channel) {
        for (std::size_t read = 0; read < as_size(reads); ++read) {
            for (std::size_t row = 0; row < as_size(rows.kernel); ++row) {
                for (std::size_t column = 0; column < as_size(columns.kernel); ++column) {
                    const PatchRuns::Place place = runs_.place(row, column, read);
                    filters_.put(channel, place.four, place.index, *weights++);
                }
            }
        }
    }
    filters_.finish(channels);
    for (const ChannelBlock& block : filters_.blocks()) {
        blocks_.push_back(
            {block.first, block.width, filters_.weights(block), filters_.rounding(block, output_zero)});
    }
}

void PatchFilters::convolve(const Positions& positions, std::uint8_t* output) const {
    const std::vector<std::size_t> offsets = runs_.offsets(positions.image_row_bytes);
    Patches patches{positions.values,  positions.rows, row_stride_ * positions.image_row_bytes,
                    positions.columns, column_bytes_,  offsets.data(),
                    offsets.size(),    runs_.fours()};
    if (patches.row_bytes == patches.columns * patches.column_bytes) {
        patches.columns *= patches.rows;  // rows follow each other as columns do
        patches.rows = 1;
    }
    patch_conv_loops(isa_).convolve(patches, blocks_.data(), blocks_.size(), {output, channels_});
}

}  // namespace tundish
