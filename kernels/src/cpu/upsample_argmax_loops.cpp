// The inner loops of upsample_argmax; compiled once per instruction set, into the namespace TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations (see row_kernels.cpp).
#include "upsample_argmax_loops.h"

#include "label_lanes.h"
#include "tundish/bilinear.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

void interpolate_row(const float* __restrict row, const ColumnTaps& taps, std::size_t length,
                     float* __restrict output) {
    const ColumnTaps local = taps;  // which `output` cannot change
    for (std::size_t i = 0; i < length; ++i) {
        output[i] = interpolate(row[local.first[i]], row[local.second[i]], local.first_weight[i],
                                local.second_weight[i]);
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
