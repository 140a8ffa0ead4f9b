// How the bytes that a position of a convolution's output reads are taken: by runs of one length.
#pragma once

#include <cstddef>
#include <vector>

#include "conv_layout.h"
#include "tundish/conv_side.h"

namespace tundish {

// The patch of a position: for each row of the kernel a span of bytes, since channels are last, or one for
// each of its columns if there are gaps between them. A span is cut into as few runs as can be.
class PatchRuns {
  public:
    PatchRuns(const ConvSide& rows, const ConvSide& columns, std::size_t channels);

    std::size_t count() const { return rows_ * spans_ * runs_; }

    // Values of a run by fours. Those that run beyond the span, or are in the run before it, too, have
    // weights of 0.
    std::size_t fours() const { return fours_; }

    // How many bytes the last run reads that do not belong to the patch: less than four.
    std::size_t beyond() const { return runs_ == 1 ? fours_ * kFour - span_ : 0; }

    // A weight among those of all runs: which four, and which of them.
    struct Place {
        std::size_t four;
        std::size_t index;
    };
    Place place(std::size_t row, std::size_t column, std::size_t channel) const;

    // Where each run begins, from the patch's first byte on, in an image whose rows take so many bytes.
    std::vector<std::size_t> offsets(std::size_t row_bytes) const;

  private:
    std::size_t begin(std::size_t run) const {
        return runs_ > 1 && run + 1 == runs_ ? span_ - fours_ * kFour : run * fours_ * kFour;
    }

    std::size_t rows_;
    std::size_t row_step_;     // of the kernel's rows in those of the image
    std::size_t spans_;        // of a row
    std::size_t span_;         // bytes
    std::size_t span_step_;    // bytes from one span to the next
    std::size_t column_step_;  // bytes from one column to the next in a span of several
    std::size_t runs_;         // of a span
    std::size_t fours_;
};

}  // namespace tundish
