// Lane and Wide for NEON, where they are one; see wide.h.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace tundish {
namespace TUNDISH_ISA {

struct Wide {
    using Type = uint8x16_t;
    static constexpr std::size_t kBytes = 16;

    static Type load(const void* p) { return vld1q_u8(static_cast<const std::uint8_t*>(p)); }
    static Type widen8(const std::uint8_t* p) { return of(vmovl_u8(vld1_u8(p))); }
    static void store(Type a, void* p) { vst1q_u8(static_cast<std::uint8_t*>(p), a); }
    static void store_lanes(Type a, std::uint8_t* output, std::size_t, std::size_t = 1) {
        vst1q_u8(output, a);
    }
    static Type set16(int a) { return of(vdupq_n_s16(static_cast<std::int16_t>(a))); }
    static Type set32(int a) { return vreinterpretq_u8_s32(vdupq_n_s32(a)); }
    static Type or_(Type a, Type b) { return vorrq_u8(a, b); }
    static Type and_(Type a, Type b) { return vandq_u8(a, b); }
    static Type add16(Type a, Type b) { return of(vaddq_s16(words(a), words(b))); }
    static Type add32(Type a, Type b) {
        return vreinterpretq_u8_s32(vaddq_s32(vreinterpretq_s32_u8(a), vreinterpretq_s32_u8(b)));
    }
    static Type sub16(Type a, Type b) { return of(vsubq_s16(words(a), words(b))); }
    static Type subs_u8(Type a, Type b) { return vqsubq_u8(a, b); }
    static Type mulhrs16(Type a, Type b) { return of(vqrdmulhq_s16(words(a), words(b))); }

    struct Products {
        Type low, high;
    };
    static void add_weighted8(Products& sums, Type a, Type b, std::uint16_t weights) {
        const uint8x16_t first = vdupq_n_u8(static_cast<std::uint8_t>(weights));
        const uint8x16_t second = vdupq_n_u8(static_cast<std::uint8_t>(weights >> 8));
        uint16x8_t low = vreinterpretq_u16_u8(sums.low);
        uint16x8_t high = vreinterpretq_u16_u8(sums.high);
        low =
            vmlal_u8(vmlal_u8(low, vget_low_u8(a), vget_low_u8(first)), vget_low_u8(b), vget_low_u8(second));
        high = vmlal_high_u8(vmlal_high_u8(high, a, first), b, second);
        sums = {of(low), of(high)};
    }
    static void store_words(const Products& a, std::int16_t* output) {
        store(a.low, output);
        store(a.high, output + 8);
    }
    static Products multiply(Type a, std::int32_t constant) {
        const int32x4_t low = vmovl_s16(vget_low_s16(words(a)));
        const int32x4_t high = vmovl_high_s16(words(a));
        return {vreinterpretq_u8_s32(vmulq_n_s32(low, constant)),
                vreinterpretq_u8_s32(vmulq_n_s32(high, constant))};
    }

    template <int kBits>
    static Type shl16(Type a) {
        return of(vshlq_n_s16(words(a), kBits));
    }
    template <int kBits>
    static Type shr16(Type a) {
        return of(vshrq_n_u16(vreinterpretq_u16_u8(a), kBits));
    }
    template <int kBits>
    static Type sra16(Type a) {
        return of(vshrq_n_s16(words(a), kBits));
    }
    static Type low8(Type a, Type b) { return vzip1q_u8(a, b); }
    static Type high8(Type a, Type b) { return vzip2q_u8(a, b); }
    static Type upper_words(Type a, Type b) { return of(vtrn2q_s16(words(a), words(b))); }
    static Type packus16(Type a, Type b) { return vqmovun_high_s16(vqmovun_s16(words(a)), words(b)); }

  private:
    static int16x8_t words(Type a) { return vreinterpretq_s16_u8(a); }
    static Type of(int16x8_t a) { return vreinterpretq_u8_s16(a); }
    static Type of(uint16x8_t a) { return vreinterpretq_u8_u16(a); }
};

struct Lane {
    using Type = uint8x16_t;

    static Type load(const void* p) { return Wide::load(p); }
    static void store(Type a, void* p) { Wide::store(a, p); }
    static Type or_(Type a, Type b) { return vorrq_u8(a, b); }
    static Type shuffle8(Type a, Type indices) { return vqtbl1q_u8(a, indices); }
    static Type low32(Type a, Type b) {
        return vreinterpretq_u8_u32(vzip1q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
    }
    static Type high32(Type a, Type b) {
        return vreinterpretq_u8_u32(vzip2q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
    }
    static Type low64(Type a, Type b) {
        return vreinterpretq_u8_u64(vzip1q_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b)));
    }
    static Type high64(Type a, Type b) {
        return vreinterpretq_u8_u64(vzip2q_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b)));
    }
};

}  // namespace TUNDISH_ISA
}  // namespace tundish
