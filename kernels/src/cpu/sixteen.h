// Sixteen floats in the registers of the instruction set that includes this, or without: what loops of floats
// are written with, so that all sets give the same bits. Spelt out, because GCC takes four at once of what it
// finds by itself.
#pragma once

#include <string.h>

#include <cstddef>

namespace tundish {

constexpr std::size_t kSixteen = 16;

}  // namespace tundish

#if defined(__AVX512BW__)
#include "sixteen_avx512.h"
#elif defined(__AVX2__)
#include "sixteen_avx2.h"
#elif defined(TUNDISH_NEON)
#include "sixteen_neon.h"
#else
#include "sixteen_plain.h"
#endif

namespace tundish {
namespace TUNDISH_ISA {

// The first `count`, and zeros.
inline Sixteen load_sixteen(const float* p, std::size_t count) {
    if (count == kSixteen) {
        return Sixteen::load(p);
    }
    float lanes[kSixteen] = {};
    memcpy(lanes, p, count * sizeof *p);
    return Sixteen::load(lanes);
}

inline void store(Sixteen x, float* p, std::size_t count) {
    if (count == kSixteen) {
        x.store(p);
        return;
    }
    float lanes[kSixteen];
    x.store(lanes);
    memcpy(p, lanes, count * sizeof *p);
}

// Zeros but for the first `count`.
inline Sixteen first_of(Sixteen x, std::size_t count) {
    if (count == kSixteen) {
        return x;
    }
    float lanes[kSixteen];
    x.store(lanes);
    return load_sixteen(lanes, count);
}

// Calls `work(begin, count)` for the numbers of an array: sixteen at a time, and what is left.
template <typename Work>
inline void for_sixteens(std::size_t count, const Work& work) {
    std::size_t begin = 0;
    for (; begin + kSixteen <= count; begin += kSixteen) {
        work(begin, kSixteen);
    }
    if (begin < count) {
        work(begin, count - begin);
    }
}

}  // namespace TUNDISH_ISA
}  // namespace tundish
