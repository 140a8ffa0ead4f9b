// upsample_argmax on the GPU: a thread takes some pixels below each other, and goes through the classes once.
//
// Pixels of one column that lie between the same two source rows share what those rows give along the width.
// Nothing is written in between; the source rows of a tile come from the first-level cache after their first
// use.
#include "tundish/bilinear.h"
#include "upsample_argmax_arguments.h"

namespace tundish::cuda {
namespace upsample_argmax {

__device__ __forceinline__ float along_width(const float* row, const Tap& column) {
    return interpolate(row[column.first], row[column.second], column.first_weight, column.second_weight);
}

// The classes seen best so far by the pixels of a thread.
struct Best {
    float values[kLabelRows];
    std::int32_t labels[kLabelRows];
};

// Offers a class to all pixels. `rows` are the same for all threads of a warp, and so are the branches.
__device__ __forceinline__ void offer(const float* plane, std::int32_t width, const Tap& column,
                                      const Tap (&rows)[kLabelRows], std::int32_t label, Best& best) {
    float first = 0.0F, second = 0.0F;
#pragma unroll
    for (int i = 0; i < kLabelRows; ++i) {
        const bool same_first = i > 0 && rows[i].first == rows[i - 1].first;
        const bool moved_up = i > 0 && rows[i].first == rows[i - 1].second;
        if (!same_first) {
            first = moved_up ? second
                             : along_width(plane + static_cast<std::int64_t>(rows[i].first) * width, column);
        }
        if (rows[i].second == rows[i].first) {
            second = first;
        } else if (i == 0 || rows[i].second != rows[i - 1].second) {
            second = along_width(plane + static_cast<std::int64_t>(rows[i].second) * width, column);
        }
        const float value = interpolate(first, second, rows[i].first_weight, rows[i].second_weight);
        const bool better = value > best.values[i];
        best.values[i] = better ? value : best.values[i];
        best.labels[i] = better ? label : best.labels[i];
    }
}

}  // namespace upsample_argmax

extern "C" __global__ void __launch_bounds__(kLabelColumns* kLabelThreadRows)
    tundish_upsample_argmax(const UpsampleArgmaxArguments arguments) {
    using namespace upsample_argmax;
    const int x = static_cast<int>(blockIdx.x * kLabelColumns + threadIdx.x);
    const int top = static_cast<int>((blockIdx.y * kLabelThreadRows + threadIdx.y) * kLabelRows);
    if (x >= arguments.width) {
        return;
    }
    const Tap column = bilinear_tap(x, arguments.source_width, arguments.column_scale);
    Tap rows[kLabelRows];
    Best best;
#pragma unroll
    for (int i = 0; i < kLabelRows; ++i) {  // rows below the output's last are like others, but not written
        rows[i] = bilinear_tap(top + i, arguments.source_height, arguments.row_scale);
        best.values[i] = -INFINITY;
        best.labels[i] = 0;
    }
    const std::int64_t plane = static_cast<std::int64_t>(arguments.source_height) * arguments.source_width;
    const float* logits = arguments.logits + blockIdx.z * arguments.classes * plane;
    for (std::int32_t label = 0; label < arguments.classes; ++label, logits += plane) {
        offer(logits, arguments.source_width, column, rows, label, best);
    }
    const std::int64_t first =
        (static_cast<std::int64_t>(blockIdx.z) * arguments.height + top) * arguments.width + x;
#pragma unroll
    for (int i = 0; i < kLabelRows; ++i) {
        if (top + i < arguments.height) {
            const std::int64_t at = first + static_cast<std::int64_t>(i) * arguments.width;
            if (arguments.label_bytes == 1) {
                static_cast<std::uint8_t*>(arguments.labels)[at] = static_cast<std::uint8_t>(best.labels[i]);
            } else {
                static_cast<std::int32_t*>(arguments.labels)[at] = best.labels[i];
            }
        }
    }
}

}  // namespace tundish::cuda
