// NumPy makes arrays whose items lie at any address; C++ may not read those.
#pragma once

#include <cstdint>

template <class Item>
bool is_aligned(const Item* data) {
    return reinterpret_cast<std::uintptr_t>(data) % alignof(Item) == 0;
}
