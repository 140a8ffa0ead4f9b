// Drives self_attention_into over awkward sizes and masks, to be built with the sanitizers
// (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree to the bit, and with
// sums in double precision nearly.
#include <cmath>
#include <limits>

#include "sanitize.h"
#include "tundish/self_attention.h"

namespace {

using sanitize::next_float;
using sanitize::next_random;
using tundish::Isa;
using tundish::SelfAttentionArguments;
using tundish::SelfAttentionShape;

struct Given {
    SelfAttentionShape shape;
    std::vector<float> projections;
    std::vector<std::int32_t> mask;
};

Given random_given(const SelfAttentionShape& shape) {
    Given given{shape, {}, {}};
    for (std::int64_t i = 0; i < shape.batch * shape.tokens * 3 * shape.hidden(); ++i) {
        given.projections.push_back(next_float() * 3.0F);
    }
    for (std::int64_t i = 0; i < shape.batch * shape.tokens; ++i) {
        given.mask.push_back(next_random() % 4 == 0 ? 0 : 1);
    }
    return given;
}

double expected_of(const Given& given, bool is_masked, float scale, std::int64_t item, std::int64_t token,
                   std::int64_t head, std::int64_t place) {
    const SelfAttentionShape& shape = given.shape;
    const std::int64_t hidden = shape.hidden();
    const auto number = [&](std::int64_t of_token, std::int64_t part, std::int64_t i) {
        const std::int64_t row = (item * shape.tokens + of_token) * 3 * hidden;
        return static_cast<double>(
            given.projections[static_cast<std::size_t>(row + part * hidden + head * shape.head_size + i)]);
    };
    double weights = 0.0, sum = 0.0;
    for (std::int64_t other = 0; other < shape.tokens; ++other) {
        if (is_masked && given.mask[static_cast<std::size_t>(item * shape.tokens + other)] == 0) {
            continue;
        }
        double product = 0.0;
        for (std::int64_t i = 0; i < shape.head_size; ++i) {
            product += number(token, 0, i) * number(other, 1, i);
        }
        const double weight = std::exp(product * static_cast<double>(scale));
        weights += weight;
        sum += weight * number(other, 2, place);
    }
    return weights > 0.0 ? sum / weights : 0.0;
}

void run(const Given& given, bool is_masked) {
    ++sanitize::cases;
    const SelfAttentionShape& shape = given.shape;
    const float scale = 1.0F / std::sqrt(static_cast<float>(shape.head_size));
    std::vector<unsigned char> first;
    for (const Isa isa : tundish::available_isas()) {
        std::vector<float> output(static_cast<std::size_t>(shape.batch * shape.tokens * shape.hidden()));
        const SelfAttentionArguments arguments{output.data(), given.projections.data(),
                                               is_masked ? given.mask.data() : nullptr, shape, scale};
        tundish::self_attention_into(arguments, isa);
        const std::vector<unsigned char> bytes = sanitize::bytes_of(output);
        if (first.empty()) {
            first = bytes;
            for (std::size_t i = 0; i < output.size(); ++i) {
                const auto at = static_cast<std::int64_t>(i);
                const std::int64_t row = at / shape.hidden(), column = at % shape.hidden();
                const double expected =
                    expected_of(given, is_masked, scale, row / shape.tokens, row % shape.tokens,
                                column / shape.head_size, column % shape.head_size);
                sanitize::require(std::abs(static_cast<double>(output[i]) - expected) < 2e-5,
                                  "an average is wrong");
            }
        }
        sanitize::require(bytes == first, tundish::isa_name(isa));
    }
    sanitize::add_to_digest(first);
}

void run_sizes() {
    for (const std::int64_t tokens : {1, 5, 6, 7, 16, 17, 33, 70}) {
        for (const std::int64_t size : {1, 8, 16, 20, 32, 64, 80}) {
            const std::int64_t heads = 1 + next_random() % 3;
            const std::int64_t batch = 1 + next_random() % 2;
            const Given given = random_given({batch, tokens, heads, size});
            run(given, false);
            run(given, true);
        }
    }
    Given given = random_given({2, 9, 2, 16});
    std::fill_n(given.mask.begin(), 9, 0);  // none is left
    run(given, true);
}

// A NaN spoils the averages of its head and of no other.
void run_not_finite() {
    Given given = random_given({1, 9, 2, 16});
    given.projections[32 + 3] = std::numeric_limits<float>::quiet_NaN();  // of a key of the first head
    for (const Isa isa : tundish::available_isas()) {
        std::vector<float> output(9 * 32);
        tundish::self_attention_into({output.data(), given.projections.data(), nullptr, given.shape, 0.25F},
                                     isa);
        for (std::size_t i = 0; i < output.size(); ++i) {
            sanitize::require(std::isnan(output[i]) == (i % 32 < 16), tundish::isa_name(isa));
        }
    }
}

void run_errors() {
    const Given given = random_given({2, 3, 2, 4});
    std::vector<float> output(2 * 3 * 8);
    const SelfAttentionArguments good{output.data(), given.projections.data(), given.mask.data(), given.shape,
                                      0.5F};
    const auto refuse = [&good](const auto& change, const char* what) {
        SelfAttentionArguments changed = good;
        change(changed);
        sanitize::require_error([&changed] { tundish::self_attention_into(changed); }, what);
    };
    using Arguments = SelfAttentionArguments;
    refuse([](Arguments& each) { each.destination = nullptr; }, "no destination was taken");
    refuse([](Arguments& each) { each.projections = nullptr; }, "no projections were taken");
    refuse([](Arguments& each) { each.shape.batch = 0; }, "no items were taken");
    refuse([](Arguments& each) { each.shape.tokens = 0; }, "no tokens were taken");
    refuse([](Arguments& each) { each.shape.heads = -1; }, "no heads were taken");
    refuse([](Arguments& each) { each.shape.head_size = 0; }, "heads of no size were taken");
    refuse([](Arguments& each) { each.scale = std::nanf(""); }, "a scale of NaN was taken");
    refuse([](Arguments& each) { each.projections = each.destination; }, "shared memory was taken");
}

}  // namespace

int main() {
    run_sizes();
    run_not_finite();
    run_errors();
    return sanitize::report();
}
