// The registers of quantised convolutions, where an instruction set has what their loops want: with
// operations of one name, which work within lanes of 16 bytes. TUNDISH_CONV_REGISTERS says that there are
// such, and TUNDISH_CONV_BYTES that their `dot` multiplies bytes and adds the products by fours without
// saturating.
#pragma once

#include <cstddef>

// kWidestBlock is how many channels they take at once, and kPositionsTogether for how many positions of
// output there are registers.
#if defined(__AVX2__)
#define TUNDISH_CONV_REGISTERS 1
#include "conv_registers_x86.h"
#elif defined(TUNDISH_NEON)
#define TUNDISH_CONV_REGISTERS 1
#include "conv_registers_neon.h"
#else
namespace tundish {
namespace TUNDISH_ISA {
constexpr std::size_t kWidestBlock = 64;
}  // namespace TUNDISH_ISA
}  // namespace tundish
#endif
