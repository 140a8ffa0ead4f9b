// Checks the arguments of softmax_top_k_into and selects the classes, row by row.
#include "tundish/softmax_top_k.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "arguments.h"
#include "memory.h"
#include "softmax_top_k_checks.h"
#include "softmax_top_k_loops.h"
#include "tundish/score.h"

namespace tundish {
template <typename Index>
void check_softmax_top_k(const TopK<Index>& destination, const LogitsView& logits) {
    check_memory("logits", logits.data);
    check_memory("indices", destination.indices);
    check_memory("scores", destination.scores);
    check_range("the rows of logits", logits.batch, 1, INT64_MAX);
    check_range("the classes of logits", logits.classes, 1, INT32_MAX);
    check_range("k", destination.k, 1, logits.classes);
    const auto rows = static_cast<std::size_t>(logits.batch);
    const auto outputs = rows * static_cast<std::size_t>(destination.k);
    const Memory input{logits.data, rows * static_cast<std::size_t>(logits.classes) * sizeof(float)};
    const Memory indices{destination.indices, outputs * sizeof(Index)};
    const Memory scores{destination.scores, outputs * sizeof(float)};
    check_disjoint("indices", indices, "logits", input);
    check_disjoint("scores", scores, "logits", input);
    check_disjoint("indices", indices, "scores", scores);
}

template void check_softmax_top_k(const TopK<std::int32_t>&, const LogitsView&);
template void check_softmax_top_k(const TopK<std::int64_t>&, const LogitsView&);

namespace {

// A rank and a class as one integer: the greater is the better, and of equal ranks the lower class.
std::int64_t candidate(const float* logits, std::size_t index) {
    return static_cast<std::int64_t>(rank_of(logits[index])) * (std::int64_t{1} << 32) +
           (INT32_MAX - static_cast<std::int64_t>(index));
}

std::int32_t rank_of_candidate(std::int64_t candidate) { return static_cast<std::int32_t>(candidate >> 32); }

std::size_t class_of_candidate(std::int64_t candidate) {
    return static_cast<std::size_t>(INT32_MAX - (candidate & 0xFFFFFFFF));
}

// Fills `best` with the best candidates, the best first.
void select(const float* logits, std::size_t classes, const SoftmaxTopKLoops& loops,
            std::vector<std::int64_t>& best) {
    for (std::size_t i = 0; i < best.size(); ++i) {
        best[i] = candidate(logits, i);
    }
    // With this order the worst of the best is at the front of the heap.
    const std::greater<std::int64_t> order;
    std::make_heap(best.begin(), best.end(), order);

    // Most rows hold few logits above this rank, so that few are worth a look.
    const std::int32_t reached = loops.reached_rank(logits, classes, best.size());
    const std::int32_t below = reached == INT32_MIN ? INT32_MIN : reached - 1;
    std::size_t next = best.size();
    for (;; ++next) {
        next = loops.next_above(logits, next, classes, std::max(below, rank_of_candidate(best.front())));
        if (next == classes) {
            break;
        }
        std::pop_heap(best.begin(), best.end(), order);
        best.back() = candidate(logits, next);
        std::push_heap(best.begin(), best.end(), order);
    }
    std::sort_heap(best.begin(), best.end(), order);
}

void score(float* scores, std::size_t k, const float* logits, std::size_t classes, ScoreFunction function,
           const SoftmaxTopKLoops& loops) {
    if (function == ScoreFunction::softmax) {
        // The maximum came first. A NaN ranks last, but makes the sum one.
        const float maximum = scores[0];
        loops.softmax_scores(scores, k, maximum, loops.sum_of_exponentials(logits, classes, maximum));
    } else if (function == ScoreFunction::sigmoid) {
        loops.sigmoid_scores(scores, k);
    } else {
        loops.identity_scores(scores, k);
    }
}

}  // namespace

ScoreFunction parse_score_function(const std::string& name) {
    if (name == "softmax") {
        return ScoreFunction::softmax;
    }
    if (name == "sigmoid") {
        return ScoreFunction::sigmoid;
    }
    if (name == "none") {
        return ScoreFunction::none;
    }
    reject("function must be 'softmax', 'sigmoid' or 'none'", "'" + name + "'");
}

template <typename Index>
void softmax_top_k_into(const TopK<Index>& destination, const LogitsView& logits, ScoreFunction function,
                        Isa isa) {
    check_softmax_top_k(destination, logits);
    check_isa(isa);

    const SoftmaxTopKLoops& loops = softmax_top_k_loops(isa);
    const auto classes = static_cast<std::size_t>(logits.classes);
    const auto k = static_cast<std::size_t>(destination.k);
    std::vector<std::int64_t> best(k);
    for (std::size_t row = 0; row < static_cast<std::size_t>(logits.batch); ++row) {
        const float* const values = logits.data + row * classes;
        float* const scores = destination.scores + row * k;
        select(values, classes, loops, best);
        for (std::size_t i = 0; i < k; ++i) {
            const std::size_t index = class_of_candidate(best[i]);
            destination.indices[row * k + i] = static_cast<Index>(index);
            scores[i] = values[index];
        }
        score(scores, k, values, classes, function, loops);
    }
}

template void softmax_top_k_into(const TopK<std::int32_t>&, const LogitsView&, ScoreFunction, Isa);
template void softmax_top_k_into(const TopK<std::int64_t>&, const LogitsView&, ScoreFunction, Isa);

}  // namespace tundish
