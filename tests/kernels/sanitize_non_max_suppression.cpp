// Drives non_max_suppression_into over awkward sizes and values, to be built with the sanitizers.
//
// Every buffer is exactly as large as the contract says. All instruction sets must agree to the bit, and the
// order must be that of the contract.
#include <algorithm>
#include <cmath>
#include <limits>

#include "sanitize.h"
#include "tundish/non_max_suppression.h"
#include "tundish/sine_cosine.h"

namespace {

using sanitize::next_random;
using sanitize::require;
using tundish::BoxFormat;
using tundish::Detections;
using tundish::Isa;
using tundish::StridedView;
using tundish::SuppressionRule;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kSpecial[] = {0.0F, -0.0F, kInfinity, -kInfinity, NAN, 3e38F, -3e38F, 1e-45F};
constexpr BoxFormat kFormats[] = {BoxFormat::corners, BoxFormat::center, BoxFormat::rotated};

struct Outputs {
    std::vector<std::int32_t> boxes;
    std::vector<std::int32_t> classes;
    std::vector<float> scores;
    std::vector<std::int32_t> counts;
    std::int64_t maximum;

    Outputs(std::int64_t batch, std::int64_t most)
        : boxes(static_cast<std::size_t>(batch * most), 77),
          classes(boxes.size(), 77),
          scores(boxes.size(), 77.0F),
          counts(static_cast<std::size_t>(batch), 77),
          maximum(most) {}

    Detections view() { return {boxes.data(), classes.data(), scores.data(), counts.data(), maximum}; }
};

void check_order(const Outputs& outputs, std::size_t batch, const SuppressionRule& rule) {
    const auto maximum = static_cast<std::size_t>(outputs.maximum);
    for (std::size_t image = 0; image < batch; ++image) {
        const auto count = static_cast<std::size_t>(outputs.counts[image]);
        require(count <= maximum, "a count is too large");
        for (std::size_t i = 0; i < maximum; ++i) {
            const std::size_t at = image * maximum + i;
            require((outputs.boxes[at] >= 0) == (i < count), "a box is missing or too many");
            require((outputs.classes[at] >= 0) == (i < count), "a class is missing or too many");
            require(i >= count || outputs.scores[at] > rule.score_threshold, "a score is too low");
            require(i == 0 || i >= count || outputs.scores[at] <= outputs.scores[at - 1], "scores rise");
        }
    }
}

// `layout` 0: boxes and classes in their order; 1: as a YOLO gives them; 2: as 1, upside down.
StridedView view_of(std::vector<float>& values, std::int64_t batch, std::int64_t boxes, std::int64_t last,
                    int layout) {
    if (layout == 0) {
        return {values.data(), {batch, boxes, last}, {boxes * last, last, 1}};
    }
    if (layout == 1) {
        return {values.data(), {batch, boxes, last}, {boxes * last, 1, boxes}};
    }
    return {values.data() + (last - 1) * boxes, {batch, boxes, last}, {boxes * last, 1, -boxes}};
}

void run(std::int64_t batch, std::int64_t boxes, std::int64_t classes, std::int64_t maximum, bool special) {
    for (const BoxFormat format : kFormats) {
        ++sanitize::cases;
        const int layout = static_cast<int>(next_random() % 3);
        const std::int64_t numbers = tundish::box_numbers(format);
        std::vector<float> box_values(static_cast<std::size_t>(batch * boxes * numbers));
        std::vector<float> score_values(static_cast<std::size_t>(batch * boxes * classes));
        for (float& value : box_values) {
            value = 4.0F + 4.0F * sanitize::next_float();
            value = special && next_random() % 9 == 0 ? kSpecial[next_random() % 8] : value;
        }
        for (float& value : score_values) {
            value = std::floor(8.0F * sanitize::next_float()) / 8.0F;  // with many ties
            value = special && next_random() % 9 == 0 ? kSpecial[next_random() % 8] : value;
        }
        const SuppressionRule rule{format, 0.25F, static_cast<float>(next_random() % 5) / 4.0F,
                                   next_random() % 2 == 0, next_random() % 2 == 0};
        std::vector<unsigned char> first;
        for (const Isa isa : tundish::available_isas()) {
            Outputs outputs(batch, maximum);
            tundish::non_max_suppression_into(
                outputs.view(), view_of(box_values, batch, boxes, numbers, layout),
                view_of(score_values, batch, boxes, classes, layout), rule, isa);
            check_order(outputs, static_cast<std::size_t>(batch), rule);
            std::vector<unsigned char> bytes = sanitize::bytes_of(outputs.boxes);
            for (const auto& more :
                 {sanitize::bytes_of(outputs.classes), sanitize::bytes_of(outputs.scores)}) {
                bytes.insert(bytes.end(), more.begin(), more.end());
            }
            require(first.empty() || first == bytes, "instruction sets differ");
            first = bytes;
        }
        sanitize::add_to_digest(first);
    }
}

void run_sizes() {
    for (const std::int64_t boxes : {1, 2, 31, 32, 33, 100, 3000}) {
        for (const std::int64_t classes : {1, 2, 5, 33}) {
            for (const bool special : {false, true}) {
                const std::int64_t batch = boxes == 3000 ? 1 : 2;
                run(batch, boxes, classes, boxes == 3000 ? 20 : 1 + next_random() % (boxes * classes),
                    special);
            }
        }
    }
}

// Sines and cosines are our own, so that a GPU gives the same bits.
void run_angles() {
    for (int i = 0; i < 200000; ++i) {
        const double reach = std::ldexp(1.0, static_cast<int>(next_random() % 40) - 20);
        const double angle = static_cast<double>(static_cast<float>(reach) * sanitize::next_float());
        const tundish::SineCosine found = tundish::sine_cosine(angle);
        require(std::abs(found.sine - std::sin(angle)) <= 0x1p-52, "a sine is wrong");
        require(std::abs(found.cosine - std::cos(angle)) <= 0x1p-52, "a cosine is wrong");
    }
    for (const double angle : {1.1 * tundish::kGreatestAngle, double{kInfinity}, double{NAN}}) {
        require(std::isnan(tundish::sine_cosine(angle).sine), "an angle that means nothing was taken");
    }
}

void run_errors() {
    std::vector<float> boxes(12);
    std::vector<float> scores(6);
    Outputs outputs(1, 4);
    const StridedView box_view{boxes.data(), {1, 3, 4}, {12, 4, 1}};
    const StridedView score_view{scores.data(), {1, 3, 2}, {6, 2, 1}};
    const SuppressionRule rule{BoxFormat::corners, 0.5F, 0.5F, false, false};
    const auto call = [](const Detections& detections, const StridedView& box, const StridedView& score,
                         const SuppressionRule& suppression) {
        return [=] { tundish::non_max_suppression_into(detections, box, score, suppression); };
    };
    const Detections valid = outputs.view();
    Detections wrong = valid;
    wrong.counts = nullptr;
    sanitize::require_error(call(wrong, box_view, score_view, rule), "null counts were taken");
    wrong = valid;
    wrong.maximum = tundish::kMaximumDetections + 1;
    sanitize::require_error(call(wrong, box_view, score_view, rule), "too many detections were taken");
    wrong = valid;
    wrong.classes = wrong.boxes + 3;
    sanitize::require_error(call(wrong, box_view, score_view, rule), "overlapping outputs were taken");
    wrong = valid;
    wrong.scores = scores.data() + 5;
    sanitize::require_error(call(wrong, box_view, score_view, rule), "an output over the scores was taken");
    SuppressionRule bad = rule;
    bad.iou_threshold = 1.5F;
    sanitize::require_error(call(valid, box_view, score_view, bad), "an overlap above 1 was taken");
    bad = rule;
    bad.score_threshold = NAN;
    sanitize::require_error(call(valid, box_view, score_view, bad), "a threshold of NaN was taken");
    bad = rule;
    bad.format = BoxFormat::rotated;
    sanitize::require_error(call(valid, box_view, score_view, bad), "four numbers for five were taken");
    StridedView view = score_view;
    view.strides[2] = 3;
    sanitize::require_error(call(valid, box_view, view, rule), "scores without adjacency were taken");
    view = score_view;
    view.shape[1] = 2;
    sanitize::require_error(call(valid, box_view, view, rule), "shapes that do not agree were taken");
    view.shape[1] = 0;
    sanitize::require_error(call(valid, view, view, rule), "no boxes were taken");
}

}  // namespace

int main() {
    run_sizes();
    run_angles();
    run_errors();
    return sanitize::report();
}
