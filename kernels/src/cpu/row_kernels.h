// The inner loops of the image operators as a table of functions, one table per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "convert_rows.h"
#include "sample_rows.h"
#include "store_rows.h"
#include "tundish/isa.h"

namespace tundish {

// Rows of the source are taken sixteen at a time, and buffers end on a multiple of sixteen bytes.
constexpr std::size_t kBlock = 16;

// Weights that are multiples of 2^-kShortBits, none negative, and together one can be given a second time, as
// pairs of bytes: the first of two in the low byte; what is missing to the last pair is 0. kNotShort in place
// of the first pair means that they are not given.
constexpr int kShortBits = 7;
constexpr std::uint16_t kNotShort = 0xFFFF;

// Weights of `length` adjacent output pixels; the arrays are those of a ResampleAxis, from its pixel on.
struct AxisSlice {
    const std::int32_t* first;
    const std::int32_t* count;
    const std::int32_t* coefficients;
    std::size_t taps;
    const std::uint16_t* short_weights;  // `pairs` of each pixel
    std::size_t pairs;
    std::size_t length;
};

// Weights of one output row.
struct RowWeights {
    std::size_t first;
    std::size_t count;
    const std::int32_t* coefficients;
    const std::uint16_t* short_weights;
};

// Bytes behind the transposed pixels that resample_columns may read.
constexpr std::size_t kColumnsSlack = 16;

// Rows of bytes in a ring: row r starts at data + (r & mask) × stride.
struct RowRing {
    std::uint8_t* data;
    std::size_t mask;
    std::size_t stride;
};

struct RowKernels {
    // Horizontal pass over kBlock interleaved RGB rows (a row may be given more than once), which begin with
    // pixel axis.first[0]. Writes three planes of `axis.length` bytes, `plane_stride` apart, to each of the
    // kBlock outputs; each plane is written up to the next multiple of kBlock. `columns` is scratch of 3 ×
    // kBlock bytes for each source pixel from the first to the last that `axis` uses, and kColumnsSlack.
    void (*resample_columns)(const std::uint8_t* const* rows, const AxisSlice& axis, std::uint8_t* columns,
                             std::uint8_t* const* output, std::size_t plane_stride);

    // Vertical pass: one output row of `size` bytes (a multiple of kBlock) from rows of the ring.
    void (*resample_rows)(const RowRing& ring, const RowWeights& weights, std::size_t size,
                          std::uint8_t* output);

    const ConvertKernels& convert;
    const SampleKernels& sample;
    const StoreKernels& store;
};

// Tables for what kernels/CMakeLists.txt compiles row_kernels.cpp and its neighbours into.
namespace scalar {
extern const ConvertKernels kConvertKernels;
extern const SampleKernels kSampleKernels;
extern const StoreKernels kStoreKernels;
extern const RowKernels kRowKernels;
}  // namespace scalar
#if defined(__x86_64__)
namespace avx2 {
extern const ConvertKernels kConvertKernels;
extern const SampleKernels kSampleKernels;
extern const StoreKernels kStoreKernels;
extern const RowKernels kRowKernels;
}  // namespace avx2
namespace avx512 {
extern const ConvertKernels kConvertKernels;
extern const SampleKernels kSampleKernels;
extern const StoreKernels kStoreKernels;
extern const RowKernels kRowKernels;
}  // namespace avx512
#elif defined(__aarch64__)
namespace neon {
extern const ConvertKernels kConvertKernels;
extern const SampleKernels kSampleKernels;
extern const StoreKernels kStoreKernels;
extern const RowKernels kRowKernels;
}  // namespace neon
#endif

// `isa` must be available.
inline const RowKernels& row_kernels(Isa isa) {
#if defined(__x86_64__)
    if (without_byte_products(isa) == Isa::avx512) {
        return avx512::kRowKernels;
    }
    if (without_byte_products(isa) == Isa::avx2) {
        return avx2::kRowKernels;
    }
#elif defined(__aarch64__)
    if (isa == Isa::neon) {
        return neon::kRowKernels;
    }
#endif
    static_cast<void>(isa);
    return scalar::kRowKernels;
}

}  // namespace tundish
