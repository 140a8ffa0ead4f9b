// Vectors whose items begin where a line of the cache does, so that no register is loaded from two.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace tundish {

constexpr std::size_t kCacheLine = 64;

template <class Item>
struct AlignedAllocator {
    using value_type = Item;

    AlignedAllocator() = default;
    template <class Other>
    AlignedAllocator(const AlignedAllocator<Other>&) {}

    Item* allocate(std::size_t count) {
        return static_cast<Item*>(::operator new(count * sizeof(Item), std::align_val_t(kCacheLine)));
    }
    void deallocate(Item* items, std::size_t) { ::operator delete(items, std::align_val_t(kCacheLine)); }

    friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) { return true; }
    friend bool operator!=(const AlignedAllocator&, const AlignedAllocator&) { return false; }
};

template <class Item>
using AlignedVector = std::vector<Item, AlignedAllocator<Item>>;

}  // namespace tundish
