// Three planes to interleaved pixels, in the registers of the instruction set that includes this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wide.h"

namespace tundish {
namespace TUNDISH_ISA {

template <typename Element>
inline void interleave_elements(const Element* a, const Element* b, const Element* c, std::size_t begin,
                                std::size_t end, Element* output) {
    for (std::size_t i = begin; i < end; ++i) {
        output[3 * i] = a[i];
        output[3 * i + 1] = b[i];
        output[3 * i + 2] = c[i];
    }
}

// Writes 3 × length elements.
template <typename Element>
inline void interleave(const Element* a, const Element* b, const Element* c, std::size_t length,
                       Element* output) {
    interleave_elements(a, b, c, 0, length, output);
}

#if defined(TUNDISH_NEON)

struct InterleaveLanes {
    void operator()(Wide::Type a, Wide::Type b, Wide::Type c, std::uint8_t* output) const {
        vst3q_u8(output, uint8x16x3_t{{a, b, c}});
    }
};

#elif defined(TUNDISH_WIDE)

// Sixteen pixels of three planes, in each lane, become three times sixteen bytes: byte i of them is byte i /
// 3 of plane i % 3.
class InterleaveLanes {
  public:
    void operator()(Wide::Type a, Wide::Type b, Wide::Type c, std::uint8_t* output) const {
        for (std::size_t part = 0; part < 3; ++part) {
            const Wide::Type pixels =
                Wide::or_(Wide::or_(Wide::shuffle8(a, from_[0][part]), Wide::shuffle8(b, from_[1][part])),
                          Wide::shuffle8(c, from_[2][part]));
            Wide::store_lanes(pixels, output + 16 * part, 48);
        }
    }

  private:
    static Wide::Type from(int plane, int part) {
        alignas(16) std::int8_t indices[16];
        for (int i = 0; i < 16; ++i) {
            const int byte = 16 * part + i;
            indices[i] = static_cast<std::int8_t>(byte % 3 == plane ? byte / 3 : -128);  // -128 writes zero
        }
        return Wide::broadcast(_mm_load_si128(reinterpret_cast<const __m128i*>(indices)));
    }

    const Wide::Type from_[3][3] = {{from(0, 0), from(0, 1), from(0, 2)},
                                    {from(1, 0), from(1, 1), from(1, 2)},
                                    {from(2, 0), from(2, 1), from(2, 2)}};
};

#endif

#if defined(TUNDISH_WIDE)
template <>
inline void interleave(const std::uint8_t* a, const std::uint8_t* b, const std::uint8_t* c,
                       std::size_t length, std::uint8_t* output) {
    const InterleaveLanes interleave_lanes;
    std::size_t i = 0;
    for (; i + Wide::kBytes <= length; i += Wide::kBytes) {
        interleave_lanes(Wide::load(a + i), Wide::load(b + i), Wide::load(c + i), output + 3 * i);
    }
    interleave_elements(a, b, c, i, length, output);
}
#endif

}  // namespace TUNDISH_ISA
}  // namespace tundish
