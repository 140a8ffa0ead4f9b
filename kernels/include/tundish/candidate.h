// The order in which non_max_suppression looks at pairs of a box and a class; for the CPU and for CUDA
// kernels.
#pragma once

#include <cstdint>

#include "tundish/score.h"

namespace tundish {

// No pair with a number for a score has this key.
constexpr std::uint64_t kNoCandidate = UINT64_MAX;

// A pair, which is box × classes + class, and its score as one integer, the lowest of which comes first: the
// highest score, and of equal scores the lowest pair. All keys of an image differ.
TUNDISH_HOST_DEVICE std::uint64_t candidate_key(float score, std::uint32_t pair) {
    const auto descending = static_cast<std::uint32_t>(INT32_MAX - std::int64_t{rank_of(score)});
    return (std::uint64_t{descending} << 32) | pair;
}

TUNDISH_HOST_DEVICE std::uint32_t pair_of_key(std::uint64_t key) {
    return static_cast<std::uint32_t>(key & UINT32_MAX);
}

}  // namespace tundish
