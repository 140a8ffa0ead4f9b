// Drives softmax_top_k_into over awkward sizes and values, to be built with the sanitizers
// (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree to the bit.
#include <cmath>
#include <limits>

#include "sanitize.h"
#include "tundish/softmax_top_k.h"

namespace {

using sanitize::next_random;
using sanitize::require;
using tundish::Isa;
using tundish::ScoreFunction;

constexpr ScoreFunction kFunctions[] = {ScoreFunction::softmax, ScoreFunction::sigmoid, ScoreFunction::none};
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kSpecial[] = {0.0F, -0.0F, kInfinity, -kInfinity, NAN, 3e38F, -3e38F, 1e-45F};

template <typename Index>
void run(const std::vector<float>& logits, std::int64_t batch, std::int64_t k, ScoreFunction function) {
    ++sanitize::cases;
    const auto classes = static_cast<std::int64_t>(logits.size()) / batch;
    std::vector<unsigned char> first;
    for (const Isa isa : tundish::available_isas()) {
        std::vector<Index> indices(static_cast<std::size_t>(batch * k), -1);
        std::vector<float> scores(indices.size(), -7.0F);
        tundish::softmax_top_k_into<Index>({indices.data(), scores.data(), k},
                                           {logits.data(), batch, classes}, function, isa);
        for (std::size_t i = 0; i < indices.size(); ++i) {
            require(indices[i] >= 0 && indices[i] < classes, "an index is not a class");
            require(function != ScoreFunction::softmax || scores[i] >= 0.0F || std::isnan(scores[i]),
                    "a score was not written");
        }
        std::vector<unsigned char> bytes = sanitize::bytes_of(indices);
        const std::vector<unsigned char> more = sanitize::bytes_of(scores);
        bytes.insert(bytes.end(), more.begin(), more.end());
        require(first.empty() || first == bytes, "instruction sets differ");
        first = bytes;
    }
    sanitize::add_to_digest(first);
}

void run_sizes() {
    for (const std::int64_t classes : {1, 2, 15, 16, 17, 31, 32, 33, 127, 128, 129, 300, 1000}) {
        for (const bool special : {false, true}) {
            const std::int64_t batch = 1 + next_random() % 3;
            std::vector<float> logits(static_cast<std::size_t>(batch * classes));
            for (float& logit : logits) {
                logit = 20.0F * sanitize::next_float();
                logit = special && next_random() % 4 == 0 ? kSpecial[next_random() % 8] : logit;
            }
            for (const std::int64_t k : {std::int64_t{1}, (classes + 1) / 2, classes}) {
                for (const ScoreFunction function : kFunctions) {
                    run<std::int32_t>(logits, batch, k, function);
                    run<std::int64_t>(logits, batch, k, function);
                }
            }
        }
    }
}

void run_errors() {
    std::vector<float> logits(12, 1.0F);
    std::vector<float> scores(12);
    std::vector<std::int32_t> indices(12);
    const auto call = [&](std::int32_t* index, float* score, std::int64_t k, const float* logit,
                          std::int64_t batch, std::int64_t classes) {
        return [=] {
            tundish::softmax_top_k_into<std::int32_t>({index, score, k}, {logit, batch, classes},
                                                      ScoreFunction::softmax);
        };
    };
    std::int32_t* const index = indices.data();
    float* const score = scores.data();
    float* const logit = logits.data();
    sanitize::require_error(call(nullptr, score, 2, logit, 3, 4), "null indices were taken");
    sanitize::require_error(call(index, nullptr, 2, logit, 3, 4), "null scores were taken");
    sanitize::require_error(call(index, score, 2, nullptr, 3, 4), "null logits were taken");
    sanitize::require_error(call(index, score, 5, logit, 3, 4), "more than the classes were taken");
    sanitize::require_error(call(index, score, 0, logit, 3, 4), "none of the classes were taken");
    sanitize::require_error(call(index, score, 1, logit, 0, 4), "no rows were taken");
    sanitize::require_error(call(index, score, 1, logit, 3, 0), "no classes were taken");
    sanitize::require_error(call(index, logit + 11, 1, logit, 3, 4), "overlapping scores were taken");
    sanitize::require_error(call(reinterpret_cast<std::int32_t*>(logit), score, 1, logit, 3, 4),
                            "overlapping indices were taken");
    sanitize::require_error(call(reinterpret_cast<std::int32_t*>(score + 2), score, 1, logit, 3, 4),
                            "indices over scores were taken");
}

}  // namespace

int main() {
    run_sizes();
    run_errors();
    return sanitize::report();
}
