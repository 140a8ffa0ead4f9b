// What positions of output read, wherever it stands.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tundish {

// Positions of output and what they read, which is at the same places from a position's first byte on.
struct Patches {
    const std::uint8_t* values;  // of the first position
    std::size_t rows;
    std::size_t row_bytes;  // from what a row of positions reads to what the next does
    std::size_t columns;
    std::size_t column_bytes;
    const std::size_t* runs;  // where each begins
    std::size_t run_count;
    std::size_t fours;  // of each run; values whose weight is 0 are read, too
};

}  // namespace tundish
