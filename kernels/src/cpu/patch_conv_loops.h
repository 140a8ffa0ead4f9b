// The inner loops of convolutions that read all channels of the image, as a table of functions, one table per
// instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "conv_layout.h"
#include "patches.h"
#include "tundish/isa.h"

namespace tundish {

// The filters of a block of channels of the output.
struct PatchBlock {
    std::size_t first;            // of the channels
    std::size_t width;            // 16, 32 or 64
    const std::uint8_t* weights;  // [runs, fours, width × weight_bytes]
    ConvRounding rounding;
};

// Where the output of a convolution goes.
struct PatchOutput {
    std::uint8_t* bytes;  // [rows, columns, channels] of the patches
    std::size_t channels;
};

struct PatchConvLoops {
    void (*convolve)(const Patches& patches, const PatchBlock* blocks, std::size_t block_count,
                     const PatchOutput& output);
};

// Tables for what kernels/CMakeLists.txt compiles patch_conv_loops.cpp into.
namespace scalar {
extern const PatchConvLoops kPatchConvLoops;
}
#if defined(__x86_64__)
namespace avx2 {
extern const PatchConvLoops kPatchConvLoops;
}
namespace avx2_vnni {
extern const PatchConvLoops kPatchConvLoops;
}
namespace avx512 {
extern const PatchConvLoops kPatchConvLoops;
}
namespace avx512_vnni {
extern const PatchConvLoops kPatchConvLoops;
}
namespace avx512_amx {
extern const PatchConvLoops kPatchConvLoops;
}
#elif defined(__aarch64__)
namespace neon {
extern const PatchConvLoops kPatchConvLoops;
}
#endif

// `isa` must be available.
inline const PatchConvLoops& patch_conv_loops(Isa isa) {
#if defined(__x86_64__)
    if (isa == Isa::avx512_amx) {
        return avx512_amx::kPatchConvLoops;
    }
    if (isa == Isa::avx512_vnni) {
        return avx512_vnni::kPatchConvLoops;
    }
    if (isa == Isa::avx512) {
        return avx512::kPatchConvLoops;
    }
    if (isa == Isa::avx2_vnni) {
        return avx2_vnni::kPatchConvLoops;
    }
    if (isa == Isa::avx2) {
        return avx2::kPatchConvLoops;
    }
#elif defined(__aarch64__)
    if (isa == Isa::neon) {
        return neon::kPatchConvLoops;
    }
#endif
    static_cast<void>(isa);
    return scalar::kPatchConvLoops;
}

}  // namespace tundish
