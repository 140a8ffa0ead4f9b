// Sixteen floats without registers; see sixteen.h and sixteen_avx512.h.
#pragma once

#include <math.h>
#include <string.h>

#include <cstddef>
#include <cstdint>

#include "tundish/exponential.h"

namespace tundish {
namespace TUNDISH_ISA {

struct Sixteen {
    float lanes[kSixteen];

    static Sixteen of(float value) {
        Sixteen made;
        for (float& each : made.lanes) {
            each = value;
        }
        return made;
    }
    static Sixteen load(const float* p) {
        Sixteen made;
        memcpy(made.lanes, p, sizeof made.lanes);
        return made;
    }
    static Sixteen from(const std::int32_t* p) {
        Sixteen made;
        for (std::size_t i = 0; i < kSixteen; ++i) {
            made.lanes[i] = static_cast<float>(p[i]);
        }
        return made;
    }
    void store(float* p) const { memcpy(p, lanes, sizeof lanes); }
};

template <typename Work>
inline Sixteen for_lanes(const Sixteen& x, const Sixteen& y, const Work& work) {
    Sixteen made;
    for (std::size_t i = 0; i < kSixteen; ++i) {
        made.lanes[i] = work(x.lanes[i], y.lanes[i]);
    }
    return made;
}

inline Sixteen add(const Sixteen& x, const Sixteen& y) {
    return for_lanes(x, y, [](float u, float v) { return u + v; });
}
inline Sixteen subtract(const Sixteen& x, const Sixteen& y) {
    return for_lanes(x, y, [](float u, float v) { return u - v; });
}
inline Sixteen multiply(const Sixteen& x, const Sixteen& y) {
    return for_lanes(x, y, [](float u, float v) { return u * v; });
}
inline Sixteen fma(const Sixteen& x, const Sixteen& y, const Sixteen& z) {
    Sixteen made;
    for (std::size_t i = 0; i < kSixteen; ++i) {
        made.lanes[i] = fmaf(x.lanes[i], y.lanes[i], z.lanes[i]);
    }
    return made;
}
inline Sixteen lesser(const Sixteen& x, const Sixteen& y) {
    return for_lanes(x, y, [](float u, float v) { return u < v ? u : v; });
}
inline Sixteen greater(const Sixteen& x, const Sixteen& y) {
    return for_lanes(x, y, [](float u, float v) { return u > v ? u : v; });
}
inline Sixteen scaled(const Sixteen& x, const Sixteen& n) {
    return for_lanes(x, n, [](float u, float exponent) {
        return u * power_of_two(static_cast<std::uint32_t>(static_cast<std::int32_t>(exponent)));
    });
}
inline void store_bytes(const Sixteen& x, std::uint8_t* p) {
    for (std::size_t i = 0; i < kSixteen; ++i) {
        p[i] = static_cast<std::uint8_t>(rintf(x.lanes[i]));
    }
}

template <typename Work>
inline float over_halves(Sixteen x, const Work& work) {
    for (std::size_t width = kSixteen / 2; width > 0; width /= 2) {
        for (std::size_t i = 0; i < width; ++i) {
            x.lanes[i] = work(x.lanes[i], x.lanes[i + width]);
        }
    }
    return x.lanes[0];
}

inline float sum(const Sixteen& x) {
    return over_halves(x, [](float u, float v) { return u + v; });
}
inline float least(const Sixteen& x) {
    return over_halves(x, [](float u, float v) { return u < v ? u : v; });
}
inline float greatest(const Sixteen& x) {
    return over_halves(x, [](float u, float v) { return u > v ? u : v; });
}

}  // namespace TUNDISH_ISA
}  // namespace tundish
