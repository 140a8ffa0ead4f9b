// The inner loops of softmax_top_k; compiled once per instruction set, into the namespace TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations (see row_kernels.cpp).
#include "softmax_top_k_loops.h"

#include "tundish/score.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

constexpr std::size_t kLogitLanes = 16;
constexpr std::size_t kRowsOfChunk = 8;
constexpr std::size_t kLogitChunk = kRowsOfChunk * kLogitLanes;

void add_chunk(const float* logits, float maximum, double* sums) {
    float chunk[kLogitLanes] = {};
    for (std::size_t row = 0; row < kRowsOfChunk; ++row) {
        for (std::size_t i = 0; i < kLogitLanes; ++i) {
            chunk[i] += exponential(logits[row * kLogitLanes + i] - maximum);
        }
    }
    for (std::size_t i = 0; i < kLogitLanes; ++i) {
        sums[i] += static_cast<double>(chunk[i]);
    }
}

double sum_of_exponentials(const float* logits, std::size_t length, float maximum) {
    double sums[kLogitLanes] = {};
    std::size_t begin = 0;
    for (; begin + kLogitChunk <= length; begin += kLogitChunk) {
        add_chunk(logits + begin, maximum, sums);
    }
    if (begin < length) {
        float rest[kLogitChunk];
        for (std::size_t i = 0; i < kLogitChunk; ++i) {
            rest[i] = begin + i < length ? logits[begin + i] : -INFINITY;  // which adds nothing
        }
        add_chunk(rest, maximum, sums);
    }
    for (std::size_t width = kLogitLanes / 2; width > 0; width /= 2) {
        for (std::size_t i = 0; i < width; ++i) {
            sums[i] += sums[i + width];
        }
    }
    return sums[0];
}

std::size_t next_above(const float* logits, std::size_t begin, std::size_t length, std::int32_t rank) {
    constexpr std::size_t kBlock = 2 * kLogitLanes;  // longer blocks cost more to search than they save
    for (; begin + kBlock <= length; begin += kBlock) {
        std::int32_t found = 0;
        for (std::size_t i = 0; i < kBlock; ++i) {
            found |= rank_of(logits[begin + i]) > rank ? 1 : 0;
        }
        if (found != 0) {
            break;
        }
    }
    while (begin < length && rank_of(logits[begin]) <= rank) {
        ++begin;
    }
    return begin;
}

std::int32_t reached_rank(const float* logits, std::size_t length, std::size_t k) {
    if (k > kLogitLanes || length < kLogitLanes) {
        return INT32_MIN;
    }
    std::int32_t highest[kLogitLanes];
    for (std::size_t i = 0; i < kLogitLanes; ++i) {
        highest[i] = INT32_MIN;
    }
    for (std::size_t begin = 0; begin + kLogitLanes <= length; begin += kLogitLanes) {
        for (std::size_t i = 0; i < kLogitLanes; ++i) {
            const std::int32_t rank = rank_of(logits[begin + i]);
            highest[i] = rank > highest[i] ? rank : highest[i];
        }
    }
    // The least of those lanes that fewer than k others surpass is the k-th highest.
    std::int32_t surpassing[kLogitLanes] = {};
    for (std::size_t other = 0; other < kLogitLanes; ++other) {
        const std::int32_t rank = highest[other];
        for (std::size_t i = 0; i < kLogitLanes; ++i) {
            surpassing[i] += rank > highest[i] ? 1 : 0;
        }
    }
    std::int32_t reached = INT32_MAX;
    for (std::size_t i = 0; i < kLogitLanes; ++i) {
        const bool counts = surpassing[i] < static_cast<std::int32_t>(k);
        reached = counts && highest[i] < reached ? highest[i] : reached;
    }
    return reached;
}

template <typename Score>
void apply(float* logits, std::size_t length, const Score& score) {
    for (std::size_t i = 0; i < length; ++i) {
        logits[i] = score(logits[i]);
    }
}

void softmax_scores(float* logits, std::size_t length, float maximum, double sum) {
    apply(logits, length, SoftmaxScore{maximum, sum});
}

void sigmoid_scores(float* logits, std::size_t length) { apply(logits, length, SigmoidScore{}); }

void identity_scores(float* logits, std::size_t length) { apply(logits, length, IdentityScore{}); }

}  // namespace

extern const SoftmaxTopKLoops kSoftmaxTopKLoops = {sum_of_exponentials, reached_rank,   next_above,
                                                   softmax_scores,      sigmoid_scores, identity_scores};

}  // namespace TUNDISH_ISA
}  // namespace tundish
