// upsample_argmax on the GPU: a thread takes pixels between the same four source pixels, and goes through the
// classes once.
//
// So it reads four logits of a class for up to 16 pixels, and interpolates them along the width once for each
// column. What holds it up is the memory, since each class is another plane: the logits of several classes
// are asked for before the first of them is needed.
#include "tundish/bilinear.h"
#include "upsample_argmax_arguments.h"

namespace tundish::cuda {
namespace upsample_argmax {

// Classes whose logits are asked for together. More take registers, and so warps.
constexpr int kAhead = 4;

// Output elements from `begin` on, before `end`; none if it is no later.
struct Run {
    std::int32_t begin;
    std::int32_t end;
};

// The first output element at or after the source's element `cell`, or the output's length.
__device__ __forceinline__ std::int32_t first_from(std::int32_t cell, const LabelAxis& axis) {
    const auto from = static_cast<float>(cell);
    auto index = static_cast<std::int32_t>((from + 0.5F) / axis.scale);  // rounded, so it may be a neighbour
    index = index < 0 ? 0 : index < axis.output ? index : axis.output;
    while (index > 0 && bilinear_position(index - 1, axis.scale) >= from) {
        --index;
    }
    while (index < axis.output && bilinear_position(index, axis.scale) < from) {
        ++index;
    }
    return index;
}

// From the beginning of a part to the end of its cell.
template <int kSide>
__device__ __forceinline__ Run run_of(std::int32_t number, const LabelAxis& axis) {
    if (axis.source >= axis.output) {
        return {number, number + 1};
    }
    const std::int32_t cell = number / axis.parts - 1;
    const std::int32_t begin = first_from(cell, axis) + number % axis.parts * kSide;
    return {begin, first_from(cell + 1, axis)};
}

// The logits of one class at the corners of a cell; at an edge the same two twice.
struct Corners {
    float upper_left, upper_right, lower_left, lower_right;
};

// Reads the corners of a cell in all classes, one after the other.
class Reader {
  public:
    __device__ __forceinline__ Reader(const UpsampleArgmaxArguments& arguments, const Tap& row,
                                      const Tap& column)
        : plane_(static_cast<std::int64_t>(arguments.rows.source) * arguments.columns.source),
          logits_(arguments.logits + blockIdx.y * arguments.classes * plane_ +
                  static_cast<std::int64_t>(row.first) * arguments.columns.source + column.first),
          right_(column.second - column.first),
          down_((row.second - row.first) * arguments.columns.source),
          classes_left_(arguments.classes) {}

    // After the last class, that one again: offered anew, it is no better.
    __device__ __forceinline__ Corners next() {
        const Corners corners{logits_[0], logits_[right_], logits_[down_], logits_[down_ + right_]};
        if (classes_left_ > 1) {
            --classes_left_;
            logits_ += plane_;
        }
        return corners;
    }

  private:
    const std::int64_t plane_;
    const float* logits_;
    const std::int32_t right_, down_;
    std::int32_t classes_left_;
};

// Weights and the classes seen best so far of the pixels of a thread.
template <int kSide>
struct Pixels {
    Tap rows[kSide];
    Tap columns[kSide];
    float values[kSide][kSide];
    std::int32_t labels[kSide][kSide];

    __device__ __forceinline__ void offer(const Corners& corners, std::int32_t label) {
#pragma unroll
        for (int j = 0; j < kSide; ++j) {
            const Tap& column = columns[j];
            const float upper = interpolate(corners.upper_left, corners.upper_right, column.first_weight,
                                            column.second_weight);
            const float lower = interpolate(corners.lower_left, corners.lower_right, column.first_weight,
                                            column.second_weight);
#pragma unroll
            for (int i = 0; i < kSide; ++i) {
                const float value = interpolate(upper, lower, rows[i].first_weight, rows[i].second_weight);
                const bool better = value > values[i][j];
                values[i][j] = better ? value : values[i][j];
                labels[i][j] = better ? label : labels[i][j];
            }
        }
    }
};

// Makes the labels of one run of rows and one of columns. Pixels behind their ends are computed like the
// others, but not written.
template <int kSide>
__device__ __forceinline__ void label_pixels(const UpsampleArgmaxArguments& arguments, std::int32_t row_run,
                                             std::int32_t column_run) {
    const LabelAxis &rows = arguments.rows, &columns = arguments.columns;
    const Run down = run_of<kSide>(row_run, rows), across = run_of<kSide>(column_run, columns);
    if (down.begin >= down.end || across.begin >= across.end) {
        return;
    }
    Pixels<kSide> pixels;
#pragma unroll
    for (int i = 0; i < kSide; ++i) {
        pixels.rows[i] = bilinear_tap(down.begin + i, rows.source, rows.scale);
        pixels.columns[i] = bilinear_tap(across.begin + i, columns.source, columns.scale);
#pragma unroll
        for (int j = 0; j < kSide; ++j) {
            pixels.values[i][j] = -INFINITY;
            pixels.labels[i][j] = 0;
        }
    }
    Reader reader(arguments, pixels.rows[0], pixels.columns[0]);
    Corners ahead[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
        ahead[k] = reader.next();
    }
    for (std::int32_t label = 0; label < arguments.classes; label += kAhead) {
#pragma unroll
        for (int k = 0; k < kAhead; ++k) {
            const Corners corners = ahead[k];
            ahead[k] = reader.next();
            pixels.offer(corners, label + k);
        }
    }
#pragma unroll
    for (int i = 0; i < kSide; ++i) {
#pragma unroll
        for (int j = 0; j < kSide; ++j) {
            const std::int32_t y = down.begin + i, x = across.begin + j;
            if (y < down.end && x < across.end) {
                const std::int64_t row = static_cast<std::int64_t>(blockIdx.y) * rows.output + y;
                const std::int64_t at = row * columns.output + x;
                if (arguments.label_bytes == 1) {
                    static_cast<std::uint8_t*>(arguments.labels)[at] =
                        static_cast<std::uint8_t>(pixels.labels[i][j]);
                } else {
                    static_cast<std::int32_t*>(arguments.labels)[at] = pixels.labels[i][j];
                }
            }
        }
    }
}

}  // namespace upsample_argmax

// Runs of columns are numbered within those of rows, so that the lanes of a warp read beside each other and
// only the last block has threads without work.
extern "C" __global__ void __launch_bounds__(kLabelThreads, kLabelBlocksOfProcessor)
    tundish_upsample_argmax(const UpsampleArgmaxArguments arguments) {
    using namespace upsample_argmax;
    const std::int64_t number = static_cast<std::int64_t>(blockIdx.x) * kLabelThreads + threadIdx.x;
    const auto row_run = static_cast<std::int32_t>(number / arguments.columns.runs);
    const auto column_run = static_cast<std::int32_t>(number % arguments.columns.runs);
    if (row_run >= arguments.rows.runs) {
        return;
    }
    switch (arguments.side) {
        case 1:
            label_pixels<1>(arguments, row_run, column_run);
            break;
        case 2:
            label_pixels<2>(arguments, row_run, column_run);
            break;
        default:
            label_pixels<4>(arguments, row_run, column_run);
    }
}

}  // namespace tundish::cuda
