// The literal softmax_top_k.cu through the shim, against the CPU form, bit for bit.
//
// Arguments: the order of threads, and how many random cases.
#include <cmath>
#include <limits>

#include "driver.h"
#include "softmax_top_k.cu"
#include "tundish/softmax_top_k.h"

namespace {

using tundish::ScoreFunction;
namespace cuda = tundish::cuda;

constexpr ScoreFunction kFunctions[] = {ScoreFunction::softmax, ScoreFunction::sigmoid, ScoreFunction::none};

// What rounding, order and the exceptions of the contract depend on, now and then: equal logits, zeros of
// both signs, infinities and NaN.
float random_logit(std::int64_t strangeness) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr float kStrange[] = {0.0F, -0.0F, 3.5F, -kInfinity, kInfinity, NAN, -200.0F, 120.0F};
    if (strangeness > 0 && random_below(4) == 0) {
        return kStrange[random_below(strangeness)];
    }
    return static_cast<float>(random_below(1 << 20)) / 30000.0F - 17.0F;
}

template <typename Index>
void compare(std::int64_t batch, std::int64_t classes, std::int64_t k, ScoreFunction function,
             std::int64_t strangeness) {
    std::vector<float> logits(static_cast<std::size_t>(batch * classes));
    for (float& logit : logits) {
        logit = random_logit(strangeness);
    }
    const auto size = static_cast<std::size_t>(batch * k);
    std::vector<Index> expected_indices(size), indices = unwritten<Index>(size);
    std::vector<float> expected_scores(size), scores = unwritten<float>(size);
    tundish::softmax_top_k_into(tundish::TopK<Index>{expected_indices.data(), expected_scores.data(), k},
                                {logits.data(), batch, classes}, function);

    const cuda::SoftmaxTopKArguments arguments{
        indices.data(), sizeof(Index), scores.data(), k, logits.data(), classes, static_cast<int>(function)};
    simt::launch(static_cast<unsigned>(batch), cuda::kSoftmaxTopKThreads,
                 [&] { cuda::tundish_softmax_top_k(arguments); });
    require_equal(expected_indices, indices, "indices");
    require_equal(expected_scores, scores, "scores");
    ++cases;
}

void run(int count) {
    constexpr std::int64_t kClasses[] = {1, 2, 15, 16, 17, 127, 128, 129, 255, 257, 1000, 2048, 2049, 5003};
    for (int i = 0; i < count; ++i) {
        const std::int64_t classes = kClasses[i % 14];
        const std::int64_t k = 1 + random_below(classes < 9 ? classes : 9);
        const auto function = kFunctions[random_below(3)];
        const std::int64_t strangeness = i % 3 == 0 ? 0 : random_below(9);
        if (i % 2 == 0) {
            compare<std::int64_t>(1 + random_below(2), classes, k, function, strangeness);
        } else {
            compare<std::int32_t>(1 + random_below(2), classes, k, function, strangeness);
        }
    }
    compare<std::int32_t>(1, 40, 40, ScoreFunction::softmax, 8);
    compare<std::int64_t>(1, 4100, 3, ScoreFunction::softmax, 0);  // chunks take several turns
}

}  // namespace

int main(int count, char** arguments) { return drive(count, arguments, run); }
