// The attention of transformers: each token's average of the values of all, by how its query meets their
// keys.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tundish/isa.h"

namespace tundish {

struct SelfAttentionShape {
    std::int64_t batch;
    std::int64_t tokens;
    std::int64_t heads;
    std::int64_t head_size;

    // Numbers of a token's queries, of its keys and of its values.
    std::int64_t hidden() const { return heads * head_size; }
};

// C-contiguous arrays of the caller's.
struct SelfAttentionArguments {
    float* destination;        // [batch, tokens, hidden]
    const float* projections;  // [batch, tokens, 3 hidden]: queries, keys, values; of each the heads in turn
    const std::int32_t* mask;  // [batch, tokens], 0 for tokens that none attends to; null if all count
    SelfAttentionShape shape;
    float scale;  // of the products of queries and keys
};

// For each item, head and token: the values' sum by weights e^(scale × query · key - m), divided by that of
// the weights, where m is the greatest of those exponents; 0 where the mask leaves no token. Products are
// added in order by fused multiply-adds, weights in sixteen lanes, so that all instruction sets give the same
// bits; weights are within 1.1 units in the last place of e^x, and those below e^-87 are e^-87.
//
// Parts write apart from each other: any number of threads may do them in any order. The arguments are not
// checked. Scratch memory is an item's keys and values of a head, freed before the return. Throws
// std::bad_alloc.
std::size_t self_attention_parts(const SelfAttentionShape& shape);
void run_self_attention_part(const SelfAttentionArguments& arguments, std::size_t part, Isa isa);

// Does all parts on the calling thread. Checks what they do not: throws std::invalid_argument for a null
// pointer, a size outside 1 to 2^20, a scale that is not finite, shared memory, an instruction set that is
// not available.
void self_attention_into(const SelfAttentionArguments& arguments, Isa isa = selected_isa());

}  // namespace tundish
