// Does attention, head by head.
#include "tundish/self_attention.h"

#include <cmath>

#include "aligned_vector.h"
#include "arguments.h"
#include "attention_loops.h"
#include "conv_filters.h"
#include "memory.h"

namespace tundish {

std::size_t self_attention_parts(const SelfAttentionShape& shape) {
    return as_size(shape.batch * shape.heads);
}

void run_self_attention_part(const SelfAttentionArguments& arguments, std::size_t part, Isa isa) {
    const SelfAttentionShape& shape = arguments.shape;
    const std::size_t heads = as_size(shape.heads), item = part / heads, head = part % heads;
    const std::size_t tokens = as_size(shape.tokens), size = as_size(shape.head_size),
                      hidden = as_size(shape.hidden());
    const float* const queries = arguments.projections + item * tokens * 3 * hidden + head * size;
    const AttentionLoops& loops = attention_loops(isa);
    AlignedVector<float> scratch(loops.scratch(tokens, size));
    loops.attend(
        {queries, queries + hidden, queries + 2 * hidden,
         arguments.mask == nullptr ? nullptr : arguments.mask + item * tokens, 3 * hidden, tokens, size,
         arguments.scale, arguments.destination + item * tokens * hidden + head * size, hidden},
        scratch.data());
}

void self_attention_into(const SelfAttentionArguments& arguments, Isa isa) {
    const SelfAttentionShape& shape = arguments.shape;
    check_isa(isa);
    check_memory("destination", arguments.destination);
    check_memory("projections", arguments.projections);
    check_range("batch", shape.batch, 1, kLargestSize);
    check_range("tokens", shape.tokens, 1, kLargestSize);
    check_range("heads", shape.heads, 1, kLargestSize);
    check_range("head_size", shape.head_size, 1, kLargestSize);
    check_range("heads × head_size", shape.hidden(), 1, kLargestSize);
    if (!std::isfinite(arguments.scale)) {
        reject("scale must be finite", text(arguments.scale));
    }
    const std::size_t tokens = as_size(shape.batch * shape.tokens),
                      numbers = tokens * as_size(shape.hidden());
    const Memory written = memory_of(arguments.destination, numbers);
    check_disjoint("destination", written, "projections", memory_of(arguments.projections, 3 * numbers));
    check_disjoint("destination", written, "mask", memory_of(arguments.mask, tokens));
    for (std::size_t part = 0; part < self_attention_parts(shape); ++part) {
        run_self_attention_part(arguments, part, isa);
    }
}

}  // namespace tundish
