// The inner loops of depthwise_conv as a table of functions, one table per instruction set.
//
// Four rows of an image are taken together: the four values of a channel in one column stand side by side.
#pragma once

#include <cstddef>
#include <cstdint>

#include "conv_layout.h"
#include "tundish/isa.h"

namespace tundish {

// A row of the image, from the first channel of a block on; `step` bytes from one column to the next.
struct SourceRow {
    const std::uint8_t* data;
    std::size_t step;
};

// A row of output of a block of channels. A tap is a column of the kernel, of four of its rows at most.
struct DepthwiseRow {
    const std::uint8_t* columns;  // of interleaved rows: [columns, width places, four rows]
    const std::size_t* taps;      // where the values of each begin that the first position of output reads
    std::size_t tap_count;
    std::size_t step;             // bytes from there to those that the next position reads
    const std::uint8_t* weights;  // [taps, width × weight_bytes]
    ConvRounding rounding;
    std::uint8_t* output;
    std::size_t output_step;  // bytes from one position to the next
    std::size_t outputs;
};

struct DepthwiseConvLoops {
    // Interleaves four rows of a block, of which `valid` channels are there, into [columns, width places,
    // four rows].
    void (*interleave)(const SourceRow* rows, std::size_t width, std::size_t valid, std::size_t columns,
                       std::uint8_t* output);

    void (*convolve)(const DepthwiseRow& row, std::size_t width);
};

// Tables for what kernels/CMakeLists.txt compiles depthwise_conv_loops.cpp into.
namespace scalar {
extern const DepthwiseConvLoops kDepthwiseConvLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const DepthwiseConvLoops kDepthwiseConvLoops;
}
namespace avx2_vnni {
extern const DepthwiseConvLoops kDepthwiseConvLoops;
}
namespace avx512 {
extern const DepthwiseConvLoops kDepthwiseConvLoops;
}
namespace avx512_vnni {
extern const DepthwiseConvLoops kDepthwiseConvLoops;
}
#elif defined(__aarch64__)
namespace neon {
extern const DepthwiseConvLoops kDepthwiseConvLoops;
}
#endif

// `isa` must be available.
inline const DepthwiseConvLoops& depthwise_conv_loops(Isa isa) {
#if defined(__x86_64__)
    if (isa == Isa::avx512_vnni || isa == Isa::avx512_amx) {
        return avx512_vnni::kDepthwiseConvLoops;
    }
    if (isa == Isa::avx512) {
        return avx512::kDepthwiseConvLoops;
    }
    if (isa == Isa::avx2_vnni) {
        return avx2_vnni::kDepthwiseConvLoops;
    }
    if (isa == Isa::avx2) {
        return avx2::kDepthwiseConvLoops;
    }
#elif defined(__aarch64__)
    if (isa == Isa::neon) {
        return neon::kDepthwiseConvLoops;
    }
#endif
    static_cast<void>(isa);
    return scalar::kDepthwiseConvLoops;
}

}  // namespace tundish
