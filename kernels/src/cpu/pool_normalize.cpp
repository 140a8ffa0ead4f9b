// Checks the arguments of pool_normalize_into and pools the rows one after the other.
#include "tundish/pool_normalize.h"

#include <algorithm>
#include <vector>

#include "arguments.h"
#include "memory.h"
#include "pool_normalize_checks.h"
#include "pool_normalize_loops.h"

namespace tundish {
template <typename Mask>
void check_pool_normalize(const float* destination, const TokenVectors<Mask>& tokens) {
    check_memory("destination", destination);
    check_memory("tokens", tokens.vectors);
    check_memory("mask", tokens.mask);
    check_range("the rows of tokens", tokens.batch, 1, INT64_MAX);
    check_range("the tokens of a row", tokens.tokens, 1, INT64_MAX);
    check_range("the width of tokens", tokens.width, 1, INT64_MAX);
    const auto positions = static_cast<std::size_t>(tokens.batch * tokens.tokens);
    const auto width = static_cast<std::size_t>(tokens.width);
    const Memory output{destination, static_cast<std::size_t>(tokens.batch) * width * sizeof(float)};
    check_disjoint("destination", output, "tokens", {tokens.vectors, positions * width * sizeof(float)});
    check_disjoint("destination", output, "mask", {tokens.mask, positions * sizeof(Mask)});
}

template void check_pool_normalize(const float*, const TokenVectors<std::uint8_t>&);
template void check_pool_normalize(const float*, const TokenVectors<std::int32_t>&);
template void check_pool_normalize(const float*, const TokenVectors<std::int64_t>&);

namespace {

// One row of the batch.
template <typename Mask>
struct Row {
    const float* vectors;
    const Mask* mask;
    std::size_t tokens;
    std::size_t width;

    // The first position from `begin` on that the mask keeps, or `tokens`.
    std::size_t next(std::size_t begin) const {
        while (begin < tokens && mask[begin] == 0) {
            ++begin;
        }
        return begin;
    }

    // Calls `group` with kTokenGroup kept vectors at a time and `one` with each of the rest; returns how many
    // there were.
    template <typename Group, typename One>
    std::size_t for_each_kept(const Group& group, const One& one) const {
        const float* waiting[kTokenGroup];
        std::size_t count = 0;
        for (std::size_t i = next(0); i < tokens; i = next(i + 1)) {
            waiting[count % kTokenGroup] = vectors + i * width;
            if (++count % kTokenGroup == 0) {
                group(waiting);
            }
        }
        for (std::size_t i = 0; i < count % kTokenGroup; ++i) {
            one(waiting[i]);
        }
        return count;
    }
};

template <typename Mask>
void pool(const Row<Mask>& row, Pooling pooling, const PoolNormalizeLoops& loops, double* sums,
          float* pooled) {
    const std::size_t width = row.width;
    const std::size_t first = row.next(0);
    if (first == row.tokens) {
        std::fill(pooled, pooled + width, 0.0F);
        return;
    }
    if (pooling == Pooling::mean) {
        std::fill(sums, sums + width, 0.0);
        const std::size_t count =
            row.for_each_kept([&](const float* const* vectors) { loops.add_group(vectors, width, sums); },
                              [&](const float* vector) { loops.add_one(vector, width, sums); });
        loops.mean(sums, static_cast<double>(count), width, pooled);
        return;
    }
    std::copy_n(row.vectors + first * width, width, pooled);
    if (pooling == Pooling::max) {
        row.for_each_kept([&](const float* const* vectors) { loops.max_group(vectors, width, pooled); },
                          [&](const float* vector) { loops.max_one(vector, width, pooled); });
    }
    loops.canonicalize(width, pooled);
}

}  // namespace

Pooling parse_pooling(const std::string& name) {
    if (name == "mean") {
        return Pooling::mean;
    }
    if (name == "cls") {
        return Pooling::cls;
    }
    if (name == "max") {
        return Pooling::max;
    }
    reject("pooling must be 'mean', 'cls' or 'max'", "'" + name + "'");
}

template <typename Mask>
void pool_normalize_into(float* destination, const TokenVectors<Mask>& tokens, Pooling pooling,
                         bool normalize, Isa isa) {
    check_pool_normalize(destination, tokens);
    check_isa(isa);

    const PoolNormalizeLoops& loops = pool_normalize_loops(isa);
    const auto length = static_cast<std::size_t>(tokens.tokens);
    const auto width = static_cast<std::size_t>(tokens.width);
    std::vector<double> sums(pooling == Pooling::mean ? width : 0);
    for (std::size_t i = 0; i < static_cast<std::size_t>(tokens.batch); ++i) {
        const Row<Mask> row{tokens.vectors + i * length * width, tokens.mask + i * length, length, width};
        float* const pooled = destination + i * width;
        pool(row, pooling, loops, sums.data(), pooled);
        if (normalize) {
            loops.normalize(width, kSmallestNorm, pooled);
        }
    }
}

template void pool_normalize_into(float*, const TokenVectors<std::uint8_t>&, Pooling, bool, Isa);
template void pool_normalize_into(float*, const TokenVectors<std::int32_t>&, Pooling, bool, Isa);
template void pool_normalize_into(float*, const TokenVectors<std::int64_t>&, Pooling, bool, Isa);

}  // namespace tundish
