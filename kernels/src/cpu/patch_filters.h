// Filters that read all channels of the image, and the convolution of an image by them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "conv_filters.h"
#include "patch_conv_loops.h"
#include "patch_runs.h"

namespace tundish {

class PatchFilters {
  public:
    // `weights` is [channels, reads, rows.kernel, columns.kernel]. Throws std::invalid_argument as the
    // convolutions' headers say.
    PatchFilters(const ConvChannels& channels, const ConvSide& rows, const ConvSide& columns,
                 std::int64_t reads, const std::int8_t* weights, std::uint8_t output_zero, Isa isa);

    const PatchRuns& runs() const { return runs_; }

    // Computes [rows, columns] positions of output. `values` is what the first of them reads, in an image
    // whose rows take `image_row_bytes`.
    struct Positions {
        const std::uint8_t* values;
        std::size_t image_row_bytes;
        std::size_t rows;
        std::size_t columns;
    };
    void convolve(const Positions& positions, std::uint8_t* output) const;

  private:
    PatchRuns runs_;
    ConvFilters filters_;
    std::size_t row_stride_;
    std::size_t column_bytes_;  // from what a position reads to what the next does
    std::size_t channels_;
    Isa isa_;
    std::vector<PatchBlock> blocks_;
};

}  // namespace tundish
