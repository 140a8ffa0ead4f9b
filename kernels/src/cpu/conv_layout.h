// The order in which the loops of quantised convolutions read weights, one for each instruction set.
//
// Channels are taken by blocks of 16, 32 or 64, and values by fours, as the instructions want them that
// multiply bytes by fours and add the products.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/isa.h"

namespace tundish {

constexpr std::size_t kFour = 4;           // values whose products are added at once
constexpr std::size_t kLaneChannels = 16;  // what 128 bits hold

struct ConvLayout {
    // Channels of a block at most; the others have 16 and what lies between.
    std::size_t widest;

    // Where a channel of a block stands among its places.
    std::size_t (*place)(std::size_t channel, std::size_t width);

    // The bytes that four weights take.
    std::size_t weight_bytes;

    // Puts one of the four weights of a place where the loops read it: those of a block begin at `four` and
    // are 0 before.
    void (*put_weight)(std::int8_t weight, std::size_t width, std::size_t place, std::size_t index,
                       std::uint8_t* four);
};

// What becomes of the sums of a block of channels.
struct ConvRounding {
    const std::int32_t* biases;  // [width places]
    const float* scales;         // [width places]: no sum times its scale reaches 2^31
    std::uint8_t zero;
    std::size_t valid;  // channels of the block that there are
};

// Tables for what kernels/CMakeLists.txt compiles conv_layout.cpp into.
namespace scalar {
extern const ConvLayout kConvLayout;
}
#if defined(__x86_64__)
namespace avx2 {
extern const ConvLayout kConvLayout;
}
namespace avx2_vnni {
extern const ConvLayout kConvLayout;
}
namespace avx512 {
extern const ConvLayout kConvLayout;
}
namespace avx512_vnni {
extern const ConvLayout kConvLayout;
}
#elif defined(__aarch64__)
namespace neon {
extern const ConvLayout kConvLayout;
}
#endif

// `isa` must be available.
inline const ConvLayout& conv_layout(Isa isa) {
#if defined(__x86_64__)
    if (isa == Isa::avx512_vnni || isa == Isa::avx512_amx) {
        return avx512_vnni::kConvLayout;
    }
    if (isa == Isa::avx512) {
        return avx512::kConvLayout;
    }
    if (isa == Isa::avx2_vnni) {
        return avx2_vnni::kConvLayout;
    }
    if (isa == Isa::avx2) {
        return avx2::kConvLayout;
    }
#elif defined(__aarch64__)
    if (isa == Isa::neon) {
        return neon::kConvLayout;
    }
#endif
    static_cast<void>(isa);
    return scalar::kConvLayout;
}

}  // namespace tundish
