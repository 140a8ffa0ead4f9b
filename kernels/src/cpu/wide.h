// The vectors that the loops are written for once: Lane, of 16 bytes, and Wide, of as many lanes as a
// register of the instruction set that includes this holds. TUNDISH_WIDE says that there are such.
//
// Every operation of Wide but the loads works within lanes, so that code for one width is right for all.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__)
#define TUNDISH_WIDE 1
#include "wide_x86.h"
#elif defined(TUNDISH_NEON)
#define TUNDISH_WIDE 1
#include "wide_neon.h"
#endif
