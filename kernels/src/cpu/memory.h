// Whether the memory of an operator's output overlaps that of its inputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "arguments.h"

namespace tundish {

// An array of the caller's: its first byte and its length in bytes.
struct Memory {
    const void* data;
    std::size_t bytes;
};

// Rejects a null pointer.
inline void check_memory(const char* name, const void* data) {
    if (data == nullptr) {
        reject(std::string(name) + " must point to memory", "a null pointer");
    }
}

// Rejects two arrays that share a byte.
inline void check_disjoint(const char* name, const Memory& memory, const char* other, const Memory& others) {
    const auto begin = reinterpret_cast<std::uintptr_t>(memory.data);
    const auto others_begin = reinterpret_cast<std::uintptr_t>(others.data);
    if (begin < others_begin + others.bytes && others_begin < begin + memory.bytes) {
        reject(std::string(name) + " must not overlap " + other, "shared memory");
    }
}

}  // namespace tundish
