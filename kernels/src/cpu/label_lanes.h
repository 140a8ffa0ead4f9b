// The best class so far of sixteen pixels, in the registers of the instruction set this file is compiled for.
//
// Spelt out, because compilers turn the choice between two classes into a branch that is hard to predict.
#pragma once

#include <math.h>

#include <cstdint>

#include "tundish/bilinear.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(TUNDISH_NEON)
#include <arm_neon.h>
#endif

namespace tundish {
namespace TUNDISH_ISA {

#if defined(__AVX512F__)

class LabelLanes {
  public:
    // Takes the class if what lies between its two rows is above the best.
    void offer(const float* first, const float* second, float first_weight, float second_weight,
               std::int32_t label) {
        const __m512 part = _mm512_mul_ps(_mm512_loadu_ps(second), _mm512_set1_ps(second_weight));
        const __m512 value = _mm512_fmadd_ps(_mm512_loadu_ps(first), _mm512_set1_ps(first_weight), part);
        const __mmask16 better = _mm512_cmp_ps_mask(value, best_, _CMP_GT_OQ);
        best_ = _mm512_mask_mov_ps(best_, better, value);
        labels_ = _mm512_mask_mov_epi32(labels_, better, _mm512_set1_epi32(label));
    }

    void store(std::int32_t* output) const { _mm512_storeu_si512(output, labels_); }

  private:
    __m512 best_ = _mm512_set1_ps(-INFINITY);
    __m512i labels_ = _mm512_setzero_si512();
};

#elif defined(__AVX2__)

class LabelLanes {
  public:
    void offer(const float* first, const float* second, float first_weight, float second_weight,
               std::int32_t label) {
        const __m256 weights[2] = {_mm256_set1_ps(first_weight), _mm256_set1_ps(second_weight)};
        const __m256i labels = _mm256_set1_epi32(label);
        for (int half = 0; half < 2; ++half) {
            const __m256 part = _mm256_mul_ps(_mm256_loadu_ps(second + 8 * half), weights[1]);
            const __m256 value = _mm256_fmadd_ps(_mm256_loadu_ps(first + 8 * half), weights[0], part);
            const __m256 better = _mm256_cmp_ps(value, best_[half], _CMP_GT_OQ);
            best_[half] = _mm256_blendv_ps(best_[half], value, better);
            labels_[half] = _mm256_blendv_epi8(labels_[half], labels, _mm256_castps_si256(better));
        }
    }

    void store(std::int32_t* output) const {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(output), labels_[0]);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(output + 8), labels_[1]);
    }

  private:
    __m256 best_[2] = {_mm256_set1_ps(-INFINITY), _mm256_set1_ps(-INFINITY)};
    __m256i labels_[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
};

#elif defined(TUNDISH_NEON)

class LabelLanes {
  public:
    void offer(const float* first, const float* second, float first_weight, float second_weight,
               std::int32_t label) {
        for (int part = 0; part < 4; ++part) {
            const float32x4_t products = vmulq_n_f32(vld1q_f32(second + 4 * part), second_weight);
            const float32x4_t value = vfmaq_n_f32(products, vld1q_f32(first + 4 * part), first_weight);
            const uint32x4_t better = vcgtq_f32(value, best_[part]);
            best_[part] = vbslq_f32(better, value, best_[part]);
            labels_[part] = vbslq_s32(better, vdupq_n_s32(label), labels_[part]);
        }
    }

    void store(std::int32_t* output) const {
        for (int part = 0; part < 4; ++part) {
            vst1q_s32(output + 4 * part, labels_[part]);
        }
    }

  private:
    float32x4_t best_[4] = {vdupq_n_f32(-INFINITY), vdupq_n_f32(-INFINITY), vdupq_n_f32(-INFINITY),
                            vdupq_n_f32(-INFINITY)};
    int32x4_t labels_[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
};

#else

class LabelLanes {
  public:
    LabelLanes() {
        for (int i = 0; i < 16; ++i) {
            best_[i] = -INFINITY;
            labels_[i] = 0;
        }
    }

    void offer(const float* first, const float* second, float first_weight, float second_weight,
               std::int32_t label) {
        for (int i = 0; i < 16; ++i) {
            const float value = tundish::interpolate(first[i], second[i], first_weight, second_weight);
            const bool better = value > best_[i];
            best_[i] = better ? value : best_[i];
            labels_[i] = better ? label : labels_[i];
        }
    }

    void store(std::int32_t* output) const {
        for (int i = 0; i < 16; ++i) {
            output[i] = labels_[i];
        }
    }

  private:
    float best_[16];
    std::int32_t labels_[16];
};

#endif

}  // namespace TUNDISH_ISA
}  // namespace tundish
