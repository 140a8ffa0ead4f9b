// Scratch memory that grows to what the largest image of a batch needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tundish {

// Never shrinks, so that a batch allocates as much as its largest image.
template <typename Element>
Element* at_least(std::vector<Element>& buffer, std::size_t size) {
    if (buffer.size() < size) {
        buffer = std::vector<Element>();  // first frees what growing would copy
        buffer.resize(size);
    }
    return buffer.data();
}

}  // namespace tundish
