// The inner loops of upsample_argmax; compiled once per instruction set, into the namespace TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations (see row_kernels.cpp).
#include "upsample_argmax_loops.h"

#include "label_lanes.h"
#include "tap_lanes.h"
#include "tundish/bilinear.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

void interpolate_row(const float* row, std::size_t row_length, const ColumnTaps& taps, std::size_t length,
                     float* output) {
    for (std::size_t column = 0; column < length; column += kTapLanes) {
        if (interpolate_lanes(row, row_length, taps, column, output)) {
            continue;
        }
        for (std::size_t i = column; i < column + kTapLanes; ++i) {
            output[i] = tundish::interpolate(row[taps.first[i]], row[taps.second[i]], taps.first_weight[i],
                                             taps.second_weight[i]);
        }
    }
}

// Columns whose best classes stay in registers; more would not fit into those of AVX2.
constexpr std::size_t kColumns = 32;

void argmax_columns(const RowPair& rows, std::size_t column, std::int32_t* labels) {
    LabelLanes left;
    LabelLanes right;
    const float* first = rows.first + column;
    const float* second = rows.second + column;
    const auto classes = static_cast<std::int32_t>(rows.classes);
    for (std::int32_t c = 0; c < classes; ++c, first += rows.stride, second += rows.stride) {
        left.offer(first, second, rows.first_weight, rows.second_weight, c);
        right.offer(first + 16, second + 16, rows.first_weight, rows.second_weight, c);
    }
    left.store(labels);
    right.store(labels + 16);
}

void argmax(const RowPair& rows, std::size_t column, std::int32_t* labels) {
    for (std::size_t i = 0; i < kLabelBlock; i += kColumns) {
        argmax_columns(rows, column + i, labels + i);
    }
}

}  // namespace

extern const UpsampleArgmaxLoops kUpsampleArgmaxLoops = {interpolate_row, argmax};

}  // namespace TUNDISH_ISA
}  // namespace tundish
