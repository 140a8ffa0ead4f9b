// Sixteen floats in four registers; see sixteen.h and sixteen_avx512.h.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace tundish {
namespace TUNDISH_ISA {

struct Sixteen {
    float32x4_t a, b, c, d;

    static Sixteen of(float value) {
        const float32x4_t four = vdupq_n_f32(value);
        return {four, four, four, four};
    }
    static Sixteen load(const float* p) {
        return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
    }
    static Sixteen from(const std::int32_t* p) {
        return {vcvtq_f32_s32(vld1q_s32(p)), vcvtq_f32_s32(vld1q_s32(p + 4)), vcvtq_f32_s32(vld1q_s32(p + 8)),
                vcvtq_f32_s32(vld1q_s32(p + 12))};
    }
    void store(float* p) const {
        vst1q_f32(p, a);
        vst1q_f32(p + 4, b);
        vst1q_f32(p + 8, c);
        vst1q_f32(p + 12, d);
    }
};

template <typename Work>
inline Sixteen for_fours(Sixteen x, Sixteen y, const Work& work) {
    return {work(x.a, y.a), work(x.b, y.b), work(x.c, y.c), work(x.d, y.d)};
}

inline float32x4_t lesser_four(float32x4_t x, float32x4_t y) { return vbslq_f32(vcltq_f32(x, y), x, y); }
inline float32x4_t greater_four(float32x4_t x, float32x4_t y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }

inline Sixteen add(Sixteen x, Sixteen y) {
    return for_fours(x, y, [](float32x4_t u, float32x4_t v) { return vaddq_f32(u, v); });
}
inline Sixteen subtract(Sixteen x, Sixteen y) {
    return for_fours(x, y, [](float32x4_t u, float32x4_t v) { return vsubq_f32(u, v); });
}
inline Sixteen multiply(Sixteen x, Sixteen y) {
    return for_fours(x, y, [](float32x4_t u, float32x4_t v) { return vmulq_f32(u, v); });
}
inline Sixteen fma(Sixteen x, Sixteen y, Sixteen z) {
    return {vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b), vfmaq_f32(z.c, x.c, y.c),
            vfmaq_f32(z.d, x.d, y.d)};
}
inline Sixteen lesser(Sixteen x, Sixteen y) { return for_fours(x, y, lesser_four); }
inline Sixteen greater(Sixteen x, Sixteen y) { return for_fours(x, y, greater_four); }
inline Sixteen scaled(Sixteen x, Sixteen n) {
    return for_fours(x, n, [](float32x4_t u, float32x4_t exponent) {
        const int32x4_t biased = vaddq_s32(vcvtnq_s32_f32(exponent), vdupq_n_s32(127));
        return vmulq_f32(u, vreinterpretq_f32_s32(vshlq_n_s32(biased, 23)));
    });
}
inline void store_bytes(Sixteen x, std::uint8_t* p) {
    const int16x8_t low = vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(x.a)), vqmovn_s32(vcvtnq_s32_f32(x.b)));
    const int16x8_t high = vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(x.c)), vqmovn_s32(vcvtnq_s32_f32(x.d)));
    vst1q_u8(p, vcombine_u8(vqmovun_s16(low), vqmovun_s16(high)));
}

inline float sum(Sixteen x) {
    const float32x4_t four = vaddq_f32(vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
inline float least(Sixteen x) {
    return vminvq_f32(lesser_four(lesser_four(x.a, x.c), lesser_four(x.b, x.d)));
}
inline float greatest(Sixteen x) {
    return vmaxvq_f32(greater_four(greater_four(x.a, x.c), greater_four(x.b, x.d)));
}

}  // namespace TUNDISH_ISA
}  // namespace tundish
