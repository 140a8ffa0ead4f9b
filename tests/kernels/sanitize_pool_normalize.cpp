// Drives pool_normalize_into over awkward sizes and values, to be built with the sanitizers
// (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree to the bit.
#include <cmath>
#include <limits>

#include "sanitize.h"
#include "tundish/pool_normalize.h"

namespace {

using sanitize::next_random;
using sanitize::require;
using tundish::Isa;
using tundish::Pooling;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kSpecial[] = {0.0F, -0.0F, kInfinity, -kInfinity, NAN, 3e38F, -3e38F, 1e-45F};

template <typename Mask>
void run(std::int64_t batch, std::int64_t tokens, std::int64_t width, bool special) {
    std::vector<float> vectors(static_cast<std::size_t>(batch * tokens * width));
    for (float& value : vectors) {
        value = sanitize::next_float();
        value = special && next_random() % 9 == 0 ? kSpecial[next_random() % 8] : value;
    }
    std::vector<Mask> mask(static_cast<std::size_t>(batch * tokens));
    for (Mask& kept : mask) {
        kept = static_cast<Mask>(next_random() % 3);  // any number but 0 keeps
    }
    for (const Pooling pooling : {Pooling::mean, Pooling::cls, Pooling::max}) {
        for (const bool normalize : {false, true}) {
            ++sanitize::cases;
            std::vector<unsigned char> first;
            for (const Isa isa : tundish::available_isas()) {
                std::vector<float> output(static_cast<std::size_t>(batch * width), 77.0F);
                tundish::pool_normalize_into<Mask>(output.data(),
                                                   {vectors.data(), mask.data(), batch, tokens, width},
                                                   pooling, normalize, isa);
                for (const float value : output) {
                    require(value != 77.0F, "an element was not written");
                    require(special || std::fabs(value) <= 1.0F + 1e-6F, "an element is too large");
                }
                const std::vector<unsigned char> bytes = sanitize::bytes_of(output);
                require(first.empty() || first == bytes, "instruction sets differ");
                first = bytes;
            }
            sanitize::add_to_digest(first);
        }
    }
}

void run_sizes() {
    for (const std::int64_t tokens : {1, 2, 7, 8, 9, 16, 40}) {
        for (const std::int64_t width : {1, 3, 8, 15, 16, 17, 33, 100}) {
            const std::int64_t batch = 1 + next_random() % 3;
            run<std::uint8_t>(batch, tokens, width, false);
            run<std::int32_t>(batch, tokens, width, true);
            run<std::int64_t>(batch, tokens, width, true);
        }
    }
}

void run_errors() {
    std::vector<float> vectors(24);
    std::vector<float> output(8);
    std::vector<std::int32_t> mask(6);
    const auto call = [](float* destination, const float* tokens, const std::int32_t* kept,
                         std::int64_t batch, std::int64_t length, std::int64_t width) {
        return [=] {
            tundish::pool_normalize_into<std::int32_t>(destination, {tokens, kept, batch, length, width},
                                                       Pooling::mean, true);
        };
    };
    float* const into = output.data();
    const float* const from = vectors.data();
    const std::int32_t* const kept = mask.data();
    sanitize::require_error(call(nullptr, from, kept, 2, 3, 4), "a null destination was taken");
    sanitize::require_error(call(into, nullptr, kept, 2, 3, 4), "null tokens were taken");
    sanitize::require_error(call(into, from, nullptr, 2, 3, 4), "a null mask was taken");
    sanitize::require_error(call(into, from, kept, 0, 3, 4), "no rows were taken");
    sanitize::require_error(call(into, from, kept, 2, 0, 4), "no tokens were taken");
    sanitize::require_error(call(into, from, kept, 2, 3, 0), "no dimensions were taken");
    sanitize::require_error(call(vectors.data() + 23, from, kept, 2, 3, 4), "overlapping tokens were taken");
    sanitize::require_error(call(reinterpret_cast<float*>(mask.data()), from, kept, 2, 3, 4),
                            "an overlapping mask was taken");
}

}  // namespace

int main() {
    run_sizes();
    run_errors();
    return sanitize::report();
}
