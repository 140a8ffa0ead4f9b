// From the vectors of a text's tokens to one vector, on the CPU.
#pragma once

#include <cstdint>
#include <string>

#include "tundish/isa.h"

namespace tundish {

// Over the tokens that the mask keeps: their mean; the vector of the first of them; their greatest value in
// each dimension.
enum class Pooling { mean, cls, max };

// Parses "mean", "cls" or "max"; throws std::invalid_argument for anything else.
Pooling parse_pooling(const std::string& name);

// Shorter vectors are divided by this instead of their length, as torch.nn.functional.normalize does.
constexpr double kSmallestNorm = 1e-12;

// C-contiguous arrays that the caller owns: vectors [batch, tokens, width], and a mask [batch, tokens] that
// is not zero where a token counts.
template <typename Mask>
struct TokenVectors {
    const float* vectors;
    const Mask* mask;
    std::int64_t batch;
    std::int64_t tokens;
    std::int64_t width;
};

// Writes all of `destination`, C-contiguous [batch, width], which the caller owns. A row whose mask keeps
// nothing becomes zeros. What the mask leaves out is not read: it may be NaN. A NaN that it keeps makes its
// dimension NaN, and the whole vector if that is normalised.
//
// A mean is taken over eight tokens in float32 pairwise and beyond that in float64, so that it is within
// 2^-22 mean(|x|) of the exact one; squares are summed in float64 over sixteen lanes. All instruction sets
// give the same bits.
//
// Blocks, on the calling thread alone; safe to call from many threads. Borrows all arguments for the call.
// Scratch memory is 8 width bytes, freed before the return.
//
// Throws std::invalid_argument, with one sentence that says what was expected and what came, before anything
// is written: a null pointer, a size below 1, overlapping memory, an instruction set that is not available.
// Throws std::bad_alloc.
template <typename Mask>
void pool_normalize_into(float* destination, const TokenVectors<Mask>& tokens, Pooling pooling,
                         bool normalize, Isa isa = selected_isa());

extern template void pool_normalize_into(float*, const TokenVectors<std::uint8_t>&, Pooling, bool, Isa);
extern template void pool_normalize_into(float*, const TokenVectors<std::int32_t>&, Pooling, bool, Isa);
extern template void pool_normalize_into(float*, const TokenVectors<std::int64_t>&, Pooling, bool, Isa);

}  // namespace tundish
