// Ragged token ids into a padded batch, on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tundish {

// The tokens of row i are those from starts[i] up to starts[i + 1], as wordpiece_into leaves them; the caller
// owns all.
struct RaggedTokens {
    const std::int32_t* ids;       // [size]
    const std::int32_t* type_ids;  // [size], or null
    std::size_t size;
    const std::int64_t* starts;  // [batch + 1]
};

// C-contiguous [batch, length] arrays that the caller owns; Integer is std::int32_t or std::int64_t.
template <class Integer>
struct PackDestination {
    Integer* ids;
    Integer* mask;      // 1 for a token, 0 for padding; or null
    Integer* type_ids;  // null unless there are some
    std::size_t batch;
    std::size_t length;
};

struct Padding {
    std::int32_t id;
    std::int32_t type_id;
    bool left;  // before the tokens
};

// Writes every element of `destination`.
//
// Blocks, on the calling thread alone; safe to call from many threads; allocates nothing. Borrows all
// arguments for the call.
//
// Throws std::invalid_argument before anything is written: a null pointer, starts that do not ascend from 0
// to `size`, a row with more than `length` tokens, type ids in one of source and destination only,
// overlapping memory.
template <class Integer>
void pack_into(const PackDestination<Integer>& destination, const RaggedTokens& tokens,
               const Padding& padding);

}  // namespace tundish
