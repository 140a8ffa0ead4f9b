// What the drivers of the kernels share: orders by name, random numbers, and the comparison bit for bit.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "simt.h"

inline int cases = 0;

inline bool set_order(const char* name) {
    if (std::strcmp(name, "ascending") == 0) {
        simt::set_order(simt::Order::ascending);
    } else if (std::strcmp(name, "descending") == 0) {
        simt::set_order(simt::Order::descending);
    } else if (std::strcmp(name, "shuffled") == 0) {
        simt::set_order(simt::Order::shuffled, 1);
    } else {
        return false;
    }
    return true;
}

// From 0 to limit - 1.
inline std::int64_t random_below(std::int64_t limit) {
    static std::uint32_t state = 1;
    state = state * 1664525 + 1013904223;
    return (state >> 8) % limit;
}

// An array that a kernel must fill: nothing in it is what it should be.
template <typename T>
std::vector<T> unwritten(std::size_t size) {
    std::vector<T> output(size);
    std::memset(output.data(), 0xFE, size * sizeof(T));
    return output;
}

template <typename T>
void require_equal(const std::vector<T>& expected, const std::vector<T>& output, const char* what) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (std::memcmp(&expected[i], &output[i], sizeof(T)) != 0) {
            std::fprintf(stderr, "case %d: element %zu of %s is %.9g on the GPU and %.9g on the CPU\n", cases,
                         i, what, static_cast<double>(output[i]), static_cast<double>(expected[i]));
            std::exit(1);
        }
    }
}

// The main function of a driver: `run` does as many random cases as its argument says.
inline int drive(int count, char** arguments, void (*run)(int)) {
    if (count != 3 || !set_order(arguments[1])) {
        std::fprintf(stderr, "%s ORDER CASES\n", arguments[0]);
        return 2;
    }
    run(std::atoi(arguments[2]));
    std::printf("ok: %d cases\n", cases);
    return 0;
}
