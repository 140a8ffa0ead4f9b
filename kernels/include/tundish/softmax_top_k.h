// Scores of a classifier's logits and the highest of them, on the CPU.
#pragma once

#include <cstdint>
#include <string>

#include "tundish/isa.h"

namespace tundish {

// softmax: e^(x - max) / sum over the row. sigmoid: 1 / (1 + e^-x). none: the logit itself.
enum class ScoreFunction { softmax, sigmoid, none };

// Parses "softmax", "sigmoid" or "none"; throws std::invalid_argument for anything else.
ScoreFunction parse_score_function(const std::string& name);

// A C-contiguous [batch, classes] array that the caller owns; classes below 2^31.
struct LogitsView {
    const float* data;
    std::int64_t batch;
    std::int64_t classes;
};

// C-contiguous [batch, k] arrays that the caller owns.
template <typename Index>
struct TopK {
    Index* indices;
    float* scores;
    std::int64_t k;
};

// Writes, for each row, the k classes with the highest logits, highest first, and their scores. Equal logits
// (also 0 and -0) keep the order of their classes; NaN counts as below every number. Scores never increase
// along a row, whatever rounding does to them.
//
// softmax: the relative error is below 2^-21 + 2^-24 |logit - max|. A row with a NaN or +inf, or of -inf
// alone, has no softmax: its scores are NaN, as IEEE arithmetic gives; its order is that of the logits. A
// subnormal score may be rounded once more. sigmoid: within 3 units in the last place; 0 below -88.72. The
// sum is taken over sixteen lanes, 128 logits in float32 and beyond that in float64, so that all instruction
// sets give the same bits.
//
// Blocks, on the calling thread alone; safe to call from many threads. Borrows all arguments for the call.
// Scratch memory is 8 k bytes, freed before the return.
//
// Throws std::invalid_argument, with one sentence that says what was expected and what came, before anything
// is written: a null pointer, no rows, no classes or too many, k outside 1 to classes, overlapping memory, an
// instruction set that is not available. Throws std::bad_alloc.
template <typename Index>
void softmax_top_k_into(const TopK<Index>& destination, const LogitsView& logits, ScoreFunction function,
                        Isa isa = selected_isa());

extern template void softmax_top_k_into(const TopK<std::int32_t>&, const LogitsView&, ScoreFunction, Isa);
extern template void softmax_top_k_into(const TopK<std::int64_t>&, const LogitsView&, ScoreFunction, Isa);

}  // namespace tundish
