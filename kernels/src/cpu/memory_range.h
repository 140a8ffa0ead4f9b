// Whether arrays of the caller's overlap.
#pragma once

#include <cstddef>
#include <functional>

namespace tundish {

struct MemoryRange {
    const void* data;
    std::size_t size;
};

// The bytes of `count` items; none if `data` is null.
template <class Item>
MemoryRange memory_range(const Item* data, std::size_t count) {
    return {data, data == nullptr ? 0 : count * sizeof(Item)};
}

inline bool overlap(const MemoryRange& left, const MemoryRange& right) {
    const auto* const a = static_cast<const char*>(left.data);
    const auto* const b = static_cast<const char*>(right.data);
    const std::less<const char*> before;
    return left.size > 0 && right.size > 0 && before(a, b + right.size) && before(b, a + left.size);
}

}  // namespace tundish
