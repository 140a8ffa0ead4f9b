// Drives upsample_argmax_into over awkward sizes and values, to be built with the sanitizers
// (TUNDISH_SANITIZE).
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree.
#include <cmath>
#include <limits>

#include "sanitize.h"
#include "tundish/upsample_argmax.h"

namespace {

using sanitize::next_random;
using sanitize::require;
using tundish::Isa;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kSpecial[] = {0.0F, -0.0F, kInfinity, -kInfinity, NAN, 3e38F, -3e38F, 1e-45F};

struct Size {
    std::int64_t height;
    std::int64_t width;
};

template <typename Label>
void run(std::int64_t batch, std::int64_t classes, const Size& source, const Size& output, bool special) {
    ++sanitize::cases;
    std::vector<float> logits(static_cast<std::size_t>(batch * classes * source.height * source.width));
    for (float& logit : logits) {
        logit = sanitize::next_float();
        logit = special && next_random() % 5 == 0 ? kSpecial[next_random() % 8] : logit;
    }
    std::vector<unsigned char> first;
    for (const Isa isa : tundish::available_isas()) {
        std::vector<Label> labels(static_cast<std::size_t>(batch * output.height * output.width), Label{111});
        tundish::upsample_argmax_into<Label>({labels.data(), batch, output.height, output.width},
                                             {logits.data(), batch, classes, source.height, source.width},
                                             isa);
        for (const Label label : labels) {
            require(label >= 0 && static_cast<std::int64_t>(label) < classes, "a label is not a class");
        }
        const std::vector<unsigned char> bytes = sanitize::bytes_of(labels);
        require(first.empty() || first == bytes, "instruction sets differ");
        first = bytes;
    }
    sanitize::add_to_digest(first);
}

void run_sizes() {
    constexpr std::int64_t kSizes[] = {1, 2, 3, 15, 16, 17, 40};
    for (const std::int64_t height : kSizes) {
        for (const std::int64_t width : kSizes) {
            const Size source{height, width};
            const Size output{1 + static_cast<std::int64_t>(next_random() % 50),
                              1 + static_cast<std::int64_t>(next_random() % 150)};
            const auto batch = 1 + next_random() % 2;
            run<std::uint8_t>(batch, 1 + next_random() % 6, source, output, width % 2 == 0);
            run<std::int32_t>(1, 1 + next_random() % 6, output, source, height % 2 == 0);
        }
    }
    run<std::int32_t>(1, 5000, {2, 3}, {3, 70}, false);     // a strip at its narrowest
    run<std::uint8_t>(1, 100, {2, 600}, {3, 1000}, false);  // several strips
    run<std::uint8_t>(1, 2, {1, 1}, {1, tundish::kMaximumMaskExtent}, false);
    run<std::uint8_t>(1, 2, {tundish::kMaximumMaskExtent, 1}, {5, 1}, false);
    run<std::uint8_t>(1, 2, {1, tundish::kMaximumMaskExtent}, {1, tundish::kMaximumMaskExtent}, false);
}

void run_errors() {
    std::vector<float> logits(24);
    std::vector<std::uint8_t> labels(20);
    const auto call = [](std::uint8_t* label, std::int64_t batch, const Size& output, const float* logit,
                         std::int64_t classes, const Size& source) {
        return [=] {
            tundish::upsample_argmax_into<std::uint8_t>({label, batch, output.height, output.width},
                                                        {logit, 1, classes, source.height, source.width});
        };
    };
    std::uint8_t* const label = labels.data();
    const float* const logit = logits.data();
    sanitize::require_error(call(nullptr, 1, {4, 5}, logit, 4, {2, 3}), "a null destination was taken");
    sanitize::require_error(call(label, 1, {4, 5}, nullptr, 4, {2, 3}), "null logits were taken");
    sanitize::require_error(call(label, 2, {4, 5}, logit, 4, {2, 3}), "a wrong batch was taken");
    sanitize::require_error(call(label, 1, {0, 5}, logit, 4, {2, 3}), "an empty destination was taken");
    sanitize::require_error(call(label, 1, {4, 5}, logit, 4, {2, 0}), "empty logits were taken");
    sanitize::require_error(call(label, 1, {4, 5}, logit, 257, {1, 1}), "257 classes were taken for uint8");
    sanitize::require_error(call(label, 1, {4, tundish::kMaximumMaskExtent + 1}, logit, 4, {2, 3}),
                            "a huge size was taken");
    sanitize::require_error(
        call(reinterpret_cast<std::uint8_t*>(logits.data() + 23) + 3, 1, {4, 5}, logit, 4, {2, 3}),
        "overlapping memory was taken");
}

}  // namespace

int main() {
    run_sizes();
    run_errors();
    return sanitize::report();
}
