// Instruction sets that the CPU kernels are compiled for, and the choice among them at run time.
#pragma once

#include <string>
#include <vector>

namespace tundish {

// `scalar` is what the compiler makes of plain loops for the architecture's baseline (SSE2 on x86-64, NEON on
// aarch64) and runs everywhere; `neon` is written for that of aarch64; `avx2_vnni` and `avx512_vnni` multiply
// bytes besides, and `avx512_amx` whole matrices of them. All of them give the same bits.
enum class Isa { scalar, neon, avx2, avx2_vnni, avx512, avx512_vnni, avx512_amx };

// The set that is the same for all that does not multiply bytes.
constexpr Isa without_byte_products(Isa isa) {
    switch (isa) {
        case Isa::avx2_vnni:
            return Isa::avx2;
        case Isa::avx512_vnni:
        case Isa::avx512_amx:
            return Isa::avx512;
        default:
            return isa;
    }
}

// The name that TUNDISH_KERNELS_ISA and tundish_kernels.isa() use. The string is static.
const char* isa_name(Isa isa);

// What this build holds and this CPU and operating system can run, slowest first; never empty.
std::vector<Isa> available_isas();

// Parses a name; throws std::invalid_argument, which lists what is available, if it is unknown or cannot run
// here.
Isa parse_isa(const std::string& name);

// The set that calls use unless they name one: TUNDISH_KERNELS_ISA if it is set and not empty, else the
// fastest available. The environment is read once, by the first call; thread-safe. Throws as parse_isa does.
Isa selected_isa();

}  // namespace tundish
