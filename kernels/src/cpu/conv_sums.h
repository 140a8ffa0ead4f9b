// Sums of products and their rounding, in the registers of the instruction set that includes this, or
// without.
#pragma once

#include <string.h>

#include <cstddef>
#include <cstdint>

#include "conv_layout.h"
#include "conv_registers.h"

namespace tundish {
namespace TUNDISH_ISA {

#if defined(TUNDISH_CONV_BYTES)
constexpr std::size_t kWeightBytes = kFour;
#else
// Words, since no instruction adds products of bytes without saturating at 16 bits.
constexpr std::size_t kWeightBytes = kFour * sizeof(std::int16_t);
#endif

#if defined(TUNDISH_CONV_REGISTERS)

template <typename Register>
constexpr std::size_t kWidth = sizeof(typename Register::Ints);
template <typename Register>
constexpr std::size_t kPlaces = kWidth<Register> / 4;  // numbers of 32 bits
template <typename Register>
constexpr std::size_t kQuarterBytes = kPlaces<Register> * kWeightBytes;

// Adds the products of values and weights by fours: of one quarter of the channels of a block.
template <typename Register>
inline typename Register::Ints dot(typename Register::Ints sums, typename Register::Ints values,
                                   const std::uint8_t* weights) {
#if defined(TUNDISH_CONV_BYTES)
    return Register::dot(sums, values, Register::load(weights));
#else
    const auto even = Register::madd16(Register::even_bytes(values), Register::load(weights));
    const auto odd =
        Register::madd16(Register::odd_bytes(values), Register::load(weights + kWidth<Register>));
    return Register::add32(Register::add32(sums, even), odd);
#endif
}

// The sums of neighbouring positions of output, each of the four quarters of a block's channels. Members
// rather than arrays, which GCC would keep in memory.
template <typename Register, std::size_t kPositions>
class ConvSums {
  public:
    explicit ConvSums(const std::int32_t* biases)
        : a_(Register::load(biases)),
          b_(Register::load(biases + kPlaces<Register>)),
          c_(Register::load(biases + 2 * kPlaces<Register>)),
          d_(Register::load(biases + 3 * kPlaces<Register>)),
          others_(biases) {}

    // Values of the channels' own: interleaved by fours; positions are `step` bytes apart.
    void add_channels(const std::uint8_t* weights, const std::uint8_t* values, std::size_t step) {
        add(weights, Register::load(values), Register::load(values + kWidth<Register>),
            Register::load(values + 2 * kWidth<Register>), Register::load(values + 3 * kWidth<Register>));
        others_.add_channels(weights, values + step, step);
    }

    // Four values for all channels.
    void add_all(const std::uint8_t* weights, const std::uint8_t* values, std::size_t step) {
        std::int32_t four;
        memcpy(&four, values, sizeof four);
        const auto same = Register::broadcast32(four);
        add(weights, same, same, same, same);
        others_.add_all(weights, values + step, step);
    }

    // As they are: [positions, places].
    void store_sums(std::int32_t* to) const {
        Register::store(a_, to);
        Register::store(b_, to + kPlaces<Register>);
        Register::store(c_, to + 2 * kPlaces<Register>);
        Register::store(d_, to + 3 * kPlaces<Register>);
        others_.store_sums(to + 4 * kPlaces<Register>);
    }

    void store(const ConvRounding& rounding, std::uint8_t* output, std::size_t step) const {
        const auto low = packed(rounding, a_, b_, 0), high = packed(rounding, c_, d_, 2);
        const auto bytes = Register::packus16(low, high);
        if (rounding.valid == kWidth<Register>) {
            Register::store(bytes, output);
        } else {
            std::uint8_t whole[kWidth<Register>];
            Register::store(bytes, whole);
            memcpy(output, whole, rounding.valid);
        }
        others_.store(rounding, output + step, step);
    }

  private:
    using Ints = typename Register::Ints;

    void add(const std::uint8_t* weights, Ints a, Ints b, Ints c, Ints d) {
        a_ = dot<Register>(a_, a, weights);
        b_ = dot<Register>(b_, b, weights + kQuarterBytes<Register>);
        c_ = dot<Register>(c_, c, weights + 2 * kQuarterBytes<Register>);
        d_ = dot<Register>(d_, d, weights + 3 * kQuarterBytes<Register>);
    }

    // What leaves 32 bits below becomes the lowest of them, as the saturation behind it wants.
    static Ints packed(const ConvRounding& rounding, Ints first, Ints second, std::size_t quarter) {
        const float* const scales = rounding.scales + quarter * kPlaces<Register>;
        const auto words =
            Register::pack32(Register::rounded(first, Register::load_floats(scales)),
                             Register::rounded(second, Register::load_floats(scales + kPlaces<Register>)));
        return Register::adds16(words, Register::broadcast16(rounding.zero));
    }

    Ints a_, b_, c_, d_;
    ConvSums<Register, kPositions - 1> others_;
};

template <typename Register>
class ConvSums<Register, 0> {
  public:
    explicit ConvSums(const std::int32_t*) {}
    void add_channels(const std::uint8_t*, const std::uint8_t*, std::size_t) {}
    void add_all(const std::uint8_t*, const std::uint8_t*, std::size_t) {}
    void store_sums(std::int32_t*) const {}
    void store(const ConvRounding&, std::uint8_t*, std::size_t) const {}
};

// Calls `work` with a register of the kind that a block of this width takes.
template <typename Work>
inline void with_registers([[maybe_unused]] std::size_t width, const Work& work) {
#if defined(__AVX512BW__)
    if (width == sizeof(Register64::Ints)) {
        return work(Register64());
    }
#endif
#if defined(__AVX2__)
    if (width == sizeof(Register32::Ints)) {
        return work(Register32());
    }
#endif
    work(Register16());
}

// Calls `convolve`, a template of the number of positions, until there are all of them.
template <typename Convolve>
inline void for_positions(std::size_t count, const Convolve& convolve) {
    std::size_t position = 0;
    for (; position + kPositionsTogether <= count; position += kPositionsTogether) {
        convolve.template run<kPositionsTogether>(position);
    }
    for (; position < count; ++position) {
        convolve.template run<1>(position);
    }
}

#endif

// Rounds halves to even; |value| is below 2^22.
inline std::int32_t to_whole(float value) {
    constexpr float kOnes = 12582912.0F;  // 1.5 × 2^23: what is added to it has no room for a fraction
    const float shifted = value + kOnes;
    std::int32_t bits, of_ones;
    memcpy(&bits, &shifted, sizeof bits);
    memcpy(&of_ones, &kOnes, sizeof of_ones);
    return bits - of_ones;
}

// Rounds to a byte whose `zero` is 0; NaN becomes the lowest.
inline std::uint8_t to_byte(float value, std::uint8_t zero) {
    const float lowest = -static_cast<float>(zero), highest = 255.0F + lowest;
    const float above = value > lowest ? value : lowest;
    return static_cast<std::uint8_t>(to_whole(above < highest ? above : highest) + zero);
}

#if !defined(TUNDISH_CONV_REGISTERS)

// The sums of a position of output without registers. Their number is no constant, for which GCC would write
// loops out before it looks for vectors.
class PlainSums {
  public:
    PlainSums(const std::int32_t* biases, std::size_t width) : width_(width) {
        memcpy(sums_, biases, width * sizeof *sums_);
    }

    // One of four values for each channel, `channel_step` bytes apart: 1, or 0 if all have the same.
    void add(const std::uint8_t* weights, const std::uint8_t* values, std::size_t channel_step) {
        std::int16_t words[kWidestBlock];
        memcpy(words, weights, width_ * sizeof *words);
        for (std::size_t i = 0; i < width_; ++i) {
            sums_[i] += values[i * channel_step] * words[i];
        }
    }

    const std::int32_t* sums() const { return sums_; }

    void store(const ConvRounding& rounding, std::uint8_t* output) const {
        std::uint8_t bytes[kWidestBlock];
        for (std::size_t i = 0; i < width_; ++i) {
            bytes[i] = to_byte(static_cast<float>(sums_[i]) * rounding.scales[i], rounding.zero);
        }
        memcpy(output, bytes, rounding.valid);
    }

  private:
    std::size_t width_;
    std::int32_t sums_[kWidestBlock];
};

#endif

}  // namespace TUNDISH_ISA
}  // namespace tundish
