// Finds out which instruction sets can run here and reads TUNDISH_KERNELS_ISA.
#include "tundish/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cstdlib>
#include <stdexcept>

namespace tundish {
namespace {

constexpr Isa kAll[] = {Isa::scalar, Isa::neon,        Isa::avx2,      Isa::avx2_vnni,
                        Isa::avx512, Isa::avx512_vnni, Isa::avx512_amx};

#if defined(__x86_64__)
// What not all compilers have a name for.
bool has_avx_vnni() {
    constexpr unsigned kAvxVnni = 1 << 4;  // of EAX, in leaf 7's first subleaf
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kAvxVnni) != 0;
}

bool has_amx() {
    constexpr unsigned kTiles = 1 << 24, kOfBytes = 1 << 25;  // of EDX, in leaf 7
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kTiles) != 0 &&
           (edx & kOfBytes) != 0;
}

// A process must ask before it uses tiles, since signals then need room for them; once is for all threads.
// Kernels that do not save tiles say no.
bool may_use_tiles() {
#if defined(__linux__)
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    static const bool may = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
    return may;
#else
    return false;
#endif
}
#endif

// Asks for exactly the features that kernels/CMakeLists.txt enables with -m flags; the compiler's support
// library also asks the operating system whether it saves the wider registers.
bool runs_here(Isa isa) {
    switch (isa) {
        case Isa::scalar:
            return true;
#if defined(__x86_64__)
        case Isa::avx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        case Isa::avx2_vnni:
            return runs_here(Isa::avx2) && has_avx_vnni();
        case Isa::avx512:
            return runs_here(Isa::avx2) && __builtin_cpu_supports("avx512f") &&
                   __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl");
        case Isa::avx512_vnni:
            return runs_here(Isa::avx512) && __builtin_cpu_supports("avx512vnni");
        case Isa::avx512_amx:
            return runs_here(Isa::avx512_vnni) && has_amx() && may_use_tiles();
#elif defined(__aarch64__)
        case Isa::neon:  // part of the architecture
            return true;
#endif
        default:
            return false;
    }
}

}  // namespace

const char* isa_name(Isa isa) {
    switch (isa) {
        case Isa::neon:
            return "neon";
        case Isa::avx2:
            return "avx2";
        case Isa::avx2_vnni:
            return "avx2_vnni";
        case Isa::avx512:
            return "avx512";
        case Isa::avx512_vnni:
            return "avx512_vnni";
        case Isa::avx512_amx:
            return "avx512_amx";
        default:
            return "scalar";
    }
}

std::vector<Isa> available_isas() {
    std::vector<Isa> available;
    for (const Isa isa : kAll) {
        if (runs_here(isa)) {
            available.push_back(isa);
        }
    }
    return available;
}

Isa parse_isa(const std::string& name) {
    std::string names;
    for (const Isa isa : available_isas()) {
        if (name == isa_name(isa)) {
            return isa;
        }
        names += (names.empty() ? "" : ", ") + std::string(isa_name(isa));
    }
    throw std::invalid_argument("TUNDISH_KERNELS_ISA must name an instruction set that this machine runs (" +
                                names + "), got '" + name + "'");
}

Isa selected_isa() {
    static const Isa selected = [] {
        const char* const name = std::getenv("TUNDISH_KERNELS_ISA");
        return name == nullptr || *name == '\0' ? available_isas().back() : parse_isa(name);
    }();
    return selected;
}

}  // namespace tundish
