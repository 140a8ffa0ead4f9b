// Scratch memory that grows to the largest item of a call and is not cleared.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

namespace tundish {

template <class Item>
class Scratch {
  public:
    // Room for `count` items; what was there before may be lost.
    Item* reserve(std::size_t count) {
        if (count > capacity_) {
            items_.reset();  // first frees what would be lost anyway
            capacity_ = 0;
            items_.reset(new Item[count]);
            capacity_ = count;
        }
        return items_.get();
    }

    // The same, and the first `kept` items stay.
    Item* extend(std::size_t kept, std::size_t count) {
        if (count > capacity_) {
            std::unique_ptr<Item[]> grown(new Item[2 * count]);
            std::copy_n(items_.get(), kept, grown.get());
            items_ = std::move(grown);
            capacity_ = 2 * count;
        }
        return items_.get();
    }

    Item* data() { return items_.get(); }
    const Item* data() const { return items_.get(); }

  private:
    std::unique_ptr<Item[]> items_;
    std::size_t capacity_ = 0;
};

}  // namespace tundish
