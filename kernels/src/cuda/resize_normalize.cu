// resize_normalize and crop_resize_normalize on the GPU: one block takes a tile of the output from source
// bytes to floats, in one launch.
//
// The block walks down the source rows that its tile needs, kRows at a time. It brings them into shared
// memory in pieces of kColumns pixels, converted on the way, adds up the horizontal pass in registers, and
// leaves the rounded pixels of those rows in shared memory, from where the vertical pass adds them to its own
// sums. All sums are integers, so that taking them in pieces changes no bit, and shared memory stays small
// however wide a filter is. Rows near a tile's edge are resampled by two blocks; writing them to memory in
// between would cost more.
#include "resize_normalize_task.h"
#include "source_rows.h"

namespace tundish::cuda {
namespace resize_normalize {

constexpr int kRows = 16;
constexpr int kColumns = 128;

// Each thread has this many rows, kThreadRows apart, of the source and of the tile. Its loops over them and
// over channels are unrolled, so that what they index stays in registers.
constexpr int kShare = 2;
static_assert(kRows == kShare * kThreadRows && kTileHeight == kShare * kThreadRows);

// On one multiprocessor, which leaves a thread 64 registers; without that ptxas aims at more blocks on some
// GPUs and spills.
constexpr int kBlocks = 4;

// Half-open.
struct Range {
    int begin, end;
};

__device__ __forceinline__ Range intersection(Range a, Range b) {
    return {a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end};
}

// Weights of one output pixel: those of source pixels `source`, coefficients `length` apart.
struct Taps {
    Range source;
    const std::int32_t* coefficients;
    int length;

    __device__ __forceinline__ std::int32_t of(int index) const {
        return coefficients[static_cast<std::int64_t>(index - source.begin) * length];
    }
};

__device__ __forceinline__ Taps taps(const std::int32_t* table, const AxisTable& axis, int index) {
    const std::int32_t* const first = table + axis.offset;
    const int begin = first[index];
    return {{begin, begin + first[axis.length + index]}, first + 2 * axis.length + index, axis.length};
}

// Source pixels that a range of output pixels needs; neither end of the taps ever falls.
__device__ __forceinline__ Range needed(const std::int32_t* table, const AxisTable& axis, Range output) {
    return {taps(table, axis, output.begin).source.begin, taps(table, axis, output.end - 1).source.end};
}

struct Sums {
    std::int32_t of[kShare][3];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < kShare; ++i) {
#pragma unroll
            for (int c = 0; c < 3; ++c) {
                of[i][c] = kRoundingHalf;
            }
        }
    }
};

using Piece = std::uint8_t[kRows][kColumns * 3];
using Resampled = std::uint8_t[3][kRows][kTileWidth];

// Copies source rows × columns, at most kRows × kColumns of interleaved bytes. A warp reads adjacent bytes.
__device__ __forceinline__ void load_bytes(const ImageTask& image, Range rows, Range columns, Piece& piece) {
    for (int row = static_cast<int>(threadIdx.y); row < rows.end - rows.begin; row += kThreadRows) {
        const std::uint8_t* const source =
            row_of(image.planes[0], image.y + rows.begin + row) + 3 * (image.x + columns.begin);
        const int bytes = 3 * (columns.end - columns.begin);
        for (int i = static_cast<int>(threadIdx.x); i < bytes; i += kTileWidth) {
            piece[row][i] = source[i];
        }
    }
}

// The same of what must be converted. A warp reads adjacent pixels.
template <typename SourceRow>
__device__ __forceinline__ void load_pixels(const ImageTask& image, const PixelSource& source, Range rows,
                                            Range columns, Piece& piece) {
    for (int row = static_cast<int>(threadIdx.y); row < rows.end - rows.begin; row += kThreadRows) {
        const SourceRow pixels(image, source, image.y + rows.begin + row);
        for (int i = static_cast<int>(threadIdx.x); i < columns.end - columns.begin; i += kTileWidth) {
            const Pixel pixel = pixels(image.x + columns.begin + i);
            piece[row][3 * i] = pixel.first;
            piece[row][3 * i + 1] = pixel.second;
            piece[row][3 * i + 2] = pixel.third;
        }
    }
}

// All threads of a launch take the same way.
__device__ __forceinline__ void load(const ImageTask& image, const PixelSource& source, Range rows,
                                     Range columns, Piece& piece) {
    switch (source.kind) {
        case SourceKind::interleaved:
            load_bytes(image, rows, columns, piece);
            break;
        case SourceKind::grey:
            load_pixels<GreyRow>(image, source, rows, columns, piece);
            break;
        case SourceKind::yuv:
            load_pixels<YuvRow>(image, source, rows, columns, piece);
            break;
        case SourceKind::bayer:
            load_pixels<BayerPixels>(image, source, rows, columns, piece);
            break;
    }
}

// Adds what the columns in `piece` bring to this thread's rows of the horizontal pass.
__device__ __forceinline__ void add_columns(const Taps& horizontal, Range rows, Range columns,
                                            const Piece& piece, Sums& sums) {
    const Range here = intersection(horizontal.source, columns);
    for (int x = here.begin; x < here.end; ++x) {
        const std::int32_t coefficient = horizontal.of(x);
#pragma unroll
        for (int i = 0; i < kShare; ++i) {
            const int row = static_cast<int>(threadIdx.y) + i * kThreadRows;
            if (row < rows.end - rows.begin) {
#pragma unroll
                for (int c = 0; c < 3; ++c) {
                    sums.of[i][c] += coefficient * piece[row][3 * (x - columns.begin) + c];
                }
            }
        }
    }
}

// Adds what the source rows in `resampled` bring to one output row.
__device__ __forceinline__ void add_rows(const Taps& vertical, Range rows, const Resampled& resampled,
                                         std::int32_t (&sums)[3]) {
    const Range here = intersection(vertical.source, rows);
    for (int y = here.begin; y < here.end; ++y) {
        const std::int32_t coefficient = vertical.of(y);
#pragma unroll
        for (int c = 0; c < 3; ++c) {
            sums[c] += coefficient * resampled[c][y - rows.begin][threadIdx.x];
        }
    }
}

// Values of ElementType; the rest are integers.
constexpr int kFloat32 = 0;
constexpr int kFloat16 = 1;

__device__ __forceinline__ void store(const ResizeNormalizeArguments& arguments, std::int64_t at,
                                      float value) {
    if (arguments.element_type == kFloat32) {
        static_cast<float*>(arguments.output)[at] = value;
    } else if (arguments.element_type == kFloat16) {
        static_cast<std::uint16_t*>(arguments.output)[at] = float_to_half(value);
    } else {
        static_cast<std::uint8_t*>(arguments.output)[at] =
            static_cast<std::uint8_t>(arguments.quantize(value));
    }
}

// Writes pixel (y, x) of the block's image, or the pad colour.
__device__ __forceinline__ void write(const ResizeNormalizeArguments& arguments, int y, int x, bool shown,
                                      const Pixel& pixel) {
    const std::int64_t size = static_cast<std::int64_t>(arguments.height) * arguments.width;
    const std::int64_t index = static_cast<std::int64_t>(y) * arguments.width + x;
    const std::int64_t at = 3 * size * blockIdx.z + index * arguments.pixel_stride;
    const std::uint8_t colour[3] = {arguments.reversed ? pixel.third : pixel.first, pixel.second,
                                    arguments.reversed ? pixel.first : pixel.third};
#pragma unroll
    for (int c = 0; c < 3; ++c) {
        const std::uint8_t value = shown ? colour[c] : arguments.pad[c];
        store(arguments, at + c * arguments.channel_stride, arguments.normalize[c](value));
    }
}

// Where a pixel lies along one axis: between two source pixels, which are one if it has no weight of the
// second.
struct Between {
    int first, second;
    std::int16_t weight;
};

__device__ __forceinline__ Between between(const std::int32_t* table, const AxisTable& axis, int index) {
    const std::int32_t* const first = table + axis.offset;
    const std::int32_t weight = first[axis.length + index];
    return {first[index], first[index] + (weight == 0 ? 0 : 1), static_cast<std::int16_t>(weight)};
}

__device__ __forceinline__ std::uint8_t blend(std::uint8_t upper_left, std::uint8_t upper_right,
                                              std::uint8_t lower_left, std::uint8_t lower_right,
                                              std::int16_t row_weight, std::int16_t column_weight) {
    return blend_columns(blend_rows(upper_left, lower_left, row_weight),
                         blend_rows(upper_right, lower_right, row_weight), column_weight);
}

// The pixel between the nearest 2 × 2, each of which is converted.
template <typename SourceRow>
__device__ __forceinline__ Pixel blend_pixels(const ImageTask& image, const PixelSource& source,
                                              const Between& row, const Between& column) {
    const SourceRow upper(image, source, image.y + row.first), lower(image, source, image.y + row.second);
    const int left = image.x + column.first, right = image.x + column.second;
    const Pixel a = upper(left), b = upper(right), c = lower(left), d = lower(right);
    return {blend(a.first, b.first, c.first, d.first, row.weight, column.weight),
            blend(a.second, b.second, c.second, d.second, row.weight, column.weight),
            blend(a.third, b.third, c.third, d.third, row.weight, column.weight)};
}

// The same of any kind but interleaved. All threads of a launch take the same way.
__device__ __forceinline__ Pixel blend_converted(const ImageTask& image, const PixelSource& source,
                                                 const Between& row, const Between& column) {
    switch (source.kind) {
        case SourceKind::grey:
            return blend_pixels<GreyRow>(image, source, row, column);
        case SourceKind::yuv:
            return blend_pixels<YuvRow>(image, source, row, column);
        default:
            return blend_pixels<BayerPixels>(image, source, row, column);
    }
}

// Writes this thread's pixel, made of those nearest to it.
template <bool kConverts>
__device__ __forceinline__ void write_nearest(const ResizeNormalizeArguments& arguments) {
    const ImageTask& image = arguments.images[blockIdx.z];
    const int x = static_cast<int>(blockIdx.x * kTileWidth + threadIdx.x);
    const int y = static_cast<int>(blockIdx.y * kThreadRows + threadIdx.y);
    if (x >= arguments.width || y >= arguments.height) {
        return;
    }
    const bool shown = x >= image.left && x < image.right && y >= image.top && y < image.bottom;
    Pixel pixel{};
    if (shown) {
        const Between row = between(arguments.table, image.vertical, y - image.top);
        const Between column = between(arguments.table, image.horizontal, x - image.left);
        pixel = kConverts ? blend_converted(image, arguments.source, row, column)
                          : blend_pixels<InterleavedRow>(image, arguments.source, row, column);
    }
    write(arguments, y, x, shown, pixel);
}

}  // namespace resize_normalize

extern "C" __global__ void __launch_bounds__(kTileWidth* kThreadRows, resize_normalize::kBlocks)
    tundish_resize_normalize(const ResizeNormalizeArguments arguments) {
    using namespace resize_normalize;
    __shared__ Piece piece;
    __shared__ Resampled resampled;

    const ImageTask& image = arguments.images[blockIdx.z];
    const std::int32_t* const table = arguments.table;
    const int tile_top = static_cast<int>(blockIdx.y) * kTileHeight;
    const int tile_left = static_cast<int>(blockIdx.x) * kTileWidth;
    const int x = tile_left + static_cast<int>(threadIdx.x);
    const Range shown_rows = intersection({image.top, image.bottom}, {tile_top, tile_top + kTileHeight});
    const Range shown_columns = intersection({image.left, image.right}, {tile_left, tile_left + kTileWidth});
    const bool x_shown = x >= image.left && x < image.right;

    Sums sums;
    sums.clear();
    if (shown_rows.begin < shown_rows.end && shown_columns.begin < shown_columns.end) {
        const Range source_rows =
            needed(table, image.vertical, {shown_rows.begin - image.top, shown_rows.end - image.top});
        const Range source_columns = needed(
            table, image.horizontal, {shown_columns.begin - image.left, shown_columns.end - image.left});
        Taps horizontal{};
        if (x_shown) {
            horizontal = taps(table, image.horizontal, x - image.left);
        }
        for (int row = source_rows.begin; row < source_rows.end; row += kRows) {
            const Range rows = intersection(source_rows, {row, row + kRows});
            Sums across;
            across.clear();
            for (int column = source_columns.begin; column < source_columns.end; column += kColumns) {
                const Range columns = intersection(source_columns, {column, column + kColumns});
                __syncthreads();  // all have read what `piece` held before
                load(image, arguments.source, rows, columns, piece);
                __syncthreads();
                add_columns(horizontal, rows, columns, piece, across);
            }
            // All have read what `resampled` held before: a barrier of the loop above came after that.
#pragma unroll
            for (int i = 0; i < kShare; ++i) {
#pragma unroll
                for (int c = 0; c < 3; ++c) {
                    resampled[c][threadIdx.y + i * kThreadRows][threadIdx.x] =
                        round_to_pixel(across.of[i][c]);
                }
            }
            __syncthreads();
#pragma unroll
            for (int i = 0; i < kShare; ++i) {
                const int y = tile_top + static_cast<int>(threadIdx.y) + i * kThreadRows;
                if (y >= image.top && y < image.bottom) {
                    add_rows(taps(table, image.vertical, y - image.top), rows, resampled, sums.of[i]);
                }
            }
        }
    }

#pragma unroll
    for (int i = 0; i < kShare; ++i) {
        const int y = tile_top + static_cast<int>(threadIdx.y) + i * kThreadRows;
        if (x < arguments.width && y < arguments.height) {
            write(arguments, y, x, x_shown && y >= image.top && y < image.bottom,
                  {round_to_pixel(sums.of[i][0]), round_to_pixel(sums.of[i][1]),
                   round_to_pixel(sums.of[i][2])});
        }
    }
}

extern "C" __global__ void __launch_bounds__(kTileWidth* kThreadRows)
    tundish_resize_normalize_point(const ResizeNormalizeArguments arguments) {
    resize_normalize::write_nearest<false>(arguments);
}

// A kernel of its own, because converting takes half as many registers again, and so leaves fewer threads on
// a multiprocessor than interleaved pixels need.
extern "C" __global__ void __launch_bounds__(kTileWidth* kThreadRows)
    tundish_resize_normalize_point_converted(const ResizeNormalizeArguments arguments) {
    resize_normalize::write_nearest<true>(arguments);
}

}  // namespace tundish::cuda
