// The order of weights; compiled once per instruction set, into the namespace TUNDISH_ISA.
#include "conv_layout.h"

#include <string.h>

#include "conv_sums.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

std::size_t conv_place(std::size_t channel, [[maybe_unused]] std::size_t width) {
#if defined(TUNDISH_CONV_REGISTERS)
    // Registers interleave within lanes of 16 bytes, of which each gives four channels to each of four
    // registers.
    const std::size_t lane = channel / kLaneChannels, quarter = channel % kLaneChannels / 4;
    return quarter * (width / 4) + lane * 4 + channel % 4;
#else
    return channel;
#endif
}

void put_conv_weight(std::int8_t weight, [[maybe_unused]] std::size_t width, std::size_t place,
                     std::size_t index, std::uint8_t* four) {
#if defined(TUNDISH_CONV_BYTES)
    four[place * kFour + index] = static_cast<std::uint8_t>(weight);
#else
#if defined(TUNDISH_CONV_REGISTERS)
    // Of each quarter, the even ones stand before the odd ones, as `dot` takes the values apart.
    const std::size_t places = width / 4, quarter = place / places;
    const std::size_t at = ((quarter * 2 + index % 2) * places + place % places) * 2 + index / 2;
#else
    const std::size_t at = index * width + place;
#endif
    const std::int16_t word = weight;
    memcpy(four + at * sizeof word, &word, sizeof word);
#endif
}

}  // namespace

extern const ConvLayout kConvLayout = {kWidestBlock, conv_place, kWeightBytes, put_conv_weight};

}  // namespace TUNDISH_ISA
}  // namespace tundish
