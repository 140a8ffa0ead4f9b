// What the drivers of the operators share: numbers, a check that ends the program, a digest of outputs.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace sanitize {

inline std::uint32_t random_state = 1;
inline int cases = 0;
inline std::uint64_t digest =
    14695981039346656037U;  // FNV-1a, to compare machines: so draw one random number a statement

inline std::uint32_t next_random() {
    random_state = random_state * 1664525 + 1013904223;
    return random_state >> 8;
}

// Between -1 and 1.
inline float next_float() { return static_cast<float>(next_random()) / 8388608.0F - 1.0F; }

inline void require(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "case %d: %s\n", cases, what);
        std::exit(1);
    }
}

template <typename Call>
void require_error(const Call& call, const char* what) {
    try {
        call();
    } catch (const std::invalid_argument&) {
        return;
    }
    require(false, what);
}

// Bytes of an output, as they must be on every instruction set.
template <typename T>
std::vector<unsigned char> bytes_of(const std::vector<T>& values) {
    const auto* const begin = reinterpret_cast<const unsigned char*>(values.data());
    return std::vector<unsigned char>(begin, begin + values.size() * sizeof(T));
}

inline void add_to_digest(const std::vector<unsigned char>& bytes) {
    for (const unsigned char byte : bytes) {
        digest = (digest ^ byte) * 1099511628211U;
    }
}

inline int report() {
    std::printf("ok: %d cases, digest %016llx\n", cases, static_cast<unsigned long long>(digest));
    return 0;
}

}  // namespace sanitize
