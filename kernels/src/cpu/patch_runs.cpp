// Cuts the patches of a convolution into runs.
#include "patch_runs.h"

#include <algorithm>

#include "conv_filters.h"

namespace tundish {
namespace {

constexpr std::size_t kLongestRun = 64;  // bytes, a row of a tile

}  // namespace

PatchRuns::PatchRuns(const ConvSide& rows, const ConvSide& columns, std::size_t channels)
    : rows_(as_size(rows.kernel)), row_step_(as_size(rows.dilation)), column_step_(channels) {
    const std::size_t kernel = as_size(columns.kernel);
    const bool has_gaps = columns.dilation > 1;
    spans_ = has_gaps ? kernel : 1;
    span_ = has_gaps ? channels : kernel * channels;
    span_step_ = as_size(columns.dilation) * channels;
    runs_ = (span_ + kLongestRun - 1) / kLongestRun;
    const std::size_t longest = (span_ + runs_ - 1) / runs_;
    fours_ = (longest + kFour - 1) / kFour;
}

PatchRuns::Place PatchRuns::place(std::size_t row, std::size_t column, std::size_t channel) const {
    const std::size_t span = spans_ == 1 ? 0 : column;
    const std::size_t byte = (spans_ == 1 ? column * column_step_ : 0) + channel;
    const std::size_t run = std::min(byte / (fours_ * kFour), runs_ - 1), in_run = byte - begin(run);
    return {((row * spans_ + span) * runs_ + run) * fours_ + in_run / kFour, in_run % kFour};
}

std::vector<std::size_t> PatchRuns::offsets(std::size_t row_bytes) const {
    std::vector<std::size_t> offsets;
    for (std::size_t row = 0; row < rows_; ++row) {
        for (std::size_t span = 0; span < spans_; ++span) {
            for (std::size_t run = 0; run < runs_; ++run) {
                offsets.push_back(row * row_step_ * row_bytes + span * span_step_ + begin(run));
            }
        }
    }
    return offsets;
}

}  // namespace tundish
