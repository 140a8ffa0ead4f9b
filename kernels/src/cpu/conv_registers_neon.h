// Registers of 16 bytes for NEON; see conv_registers.h.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace tundish {
namespace TUNDISH_ISA {

constexpr std::size_t kWidestBlock = 16;
constexpr std::size_t kPositionsTogether = 4;

struct Register16 {
    using Ints = int32x4_t;
    using Floats = float32x4_t;

    static Ints load(const void* p) {
        return vreinterpretq_s32_u8(vld1q_u8(static_cast<const std::uint8_t*>(p)));
    }
    static void store(Ints a, void* p) { vst1q_u8(static_cast<std::uint8_t*>(p), bytes(a)); }
    static Floats load_floats(const float* p) { return vld1q_f32(p); }
    static Ints broadcast32(std::int32_t a) { return vdupq_n_s32(a); }
    static Ints broadcast16(std::int16_t a) { return vreinterpretq_s32_s16(vdupq_n_s16(a)); }
    static Ints low8(Ints a, Ints b) { return vreinterpretq_s32_u8(vzip1q_u8(bytes(a), bytes(b))); }
    static Ints high8(Ints a, Ints b) { return vreinterpretq_s32_u8(vzip2q_u8(bytes(a), bytes(b))); }
    static Ints low16(Ints a, Ints b) { return vreinterpretq_s32_s16(vzip1q_s16(words(a), words(b))); }
    static Ints high16(Ints a, Ints b) { return vreinterpretq_s32_s16(vzip2q_s16(words(a), words(b))); }
    static Ints add32(Ints a, Ints b) { return vaddq_s32(a, b); }
    static Ints adds16(Ints a, Ints b) { return vreinterpretq_s32_s16(vqaddq_s16(words(a), words(b))); }
    static Ints pack32(Ints a, Ints b) {
        return vreinterpretq_s32_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)));
    }
    static Ints packus16(Ints a, Ints b) {
        return vreinterpretq_s32_u8(vcombine_u8(vqmovun_s16(words(a)), vqmovun_s16(words(b))));
    }
    static Ints madd16(Ints a, Ints b) {
        const int32x4_t low = vmull_s16(vget_low_s16(words(a)), vget_low_s16(words(b)));
        return vpaddq_s32(low, vmull_high_s16(words(a), words(b)));
    }
    static Ints even_bytes(Ints a) { return vandq_s32(a, vdupq_n_s32(0x00FF00FF)); }
    static Ints odd_bytes(Ints a) { return vreinterpretq_s32_u16(vshrq_n_u16(vreinterpretq_u16_s32(a), 8)); }
    static Ints rounded(Ints sums, Floats scales) {
        return vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(sums), scales));
    }

  private:
    static uint8x16_t bytes(Ints a) { return vreinterpretq_u8_s32(a); }
    static int16x8_t words(Ints a) { return vreinterpretq_s16_s32(a); }
};

}  // namespace TUNDISH_ISA
}  // namespace tundish
