// The memory of an operator's arguments: whether it is there, and whether two of them share it.
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

// That of `count` items; none if `data` is null.
template <class Item>
Memory memory_of(const Item* data, std::size_t count) {
    return {data, data == nullptr ? 0 : count * sizeof(Item)};
}

// Whether the two share a byte.
inline bool overlap(const Memory& left, const Memory& right) {
    const auto a = reinterpret_cast<std::uintptr_t>(left.data);
    const auto b = reinterpret_cast<std::uintptr_t>(right.data);
    return left.bytes > 0 && right.bytes > 0 && a < b + right.bytes && b < a + left.bytes;
}

// Rejects a null pointer.
inline void check_memory(const char* name, const void* data) {
    if (data == nullptr) {
        reject(std::string(name) + " must point to memory", "a null pointer");
    }
}

// Rejects two arrays that share a byte.
inline void check_disjoint(const char* name, const Memory& memory, const char* other, const Memory& others) {
    if (overlap(memory, others)) {
        reject(std::string(name) + " must not overlap " + other, "shared memory");
    }
}

}  // namespace tundish
