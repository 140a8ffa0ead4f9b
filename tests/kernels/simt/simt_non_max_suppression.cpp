// The literal non_max_suppression.cu through the shim, against the CPU form, bit for bit.
//
// Arguments: the order of threads, and five times the number of random cases: a block of this size takes
// long here.
#include <cmath>
#include <limits>

#include "driver.h"
#include "non_max_suppression.cu"
#include "non_max_suppression_plan.h"

namespace {

using tundish::BoxFormat;
using tundish::StridedView;
using tundish::SuppressionRule;
namespace cuda = tundish::cuda;

constexpr BoxFormat kFormats[] = {BoxFormat::corners, BoxFormat::center, BoxFormat::rotated};

struct Outputs {
    std::vector<std::int32_t> boxes, classes, counts;
    std::vector<float> scores;
    std::int64_t maximum;

    Outputs(std::size_t batch, std::int64_t most)
        : boxes(unwritten<std::int32_t>(batch * static_cast<std::size_t>(most))),
          classes(boxes),
          counts(unwritten<std::int32_t>(batch)),
          scores(unwritten<float>(boxes.size())),
          maximum(most) {}

    tundish::Detections view() {
        return {boxes.data(), classes.data(), scores.data(), counts.data(), maximum};
    }
};

// `layout` 0: boxes and classes in their order; 1: as a YOLO gives them; 2: as 1, upside down.
StridedView view_of(std::vector<float>& values, std::int64_t batch, std::int64_t boxes, std::int64_t last,
                    std::int64_t layout) {
    if (layout == 0) {
        return {values.data(), {batch, boxes, last}, {boxes * last, last, 1}};
    }
    if (layout == 1) {
        return {values.data(), {batch, boxes, last}, {boxes * last, 1, boxes}};
    }
    return {values.data() + (last - 1) * boxes, {batch, boxes, last}, {boxes * last, 1, -boxes}};
}

void compare(const StridedView& boxes, const StridedView& scores, const SuppressionRule& rule,
             std::int64_t maximum) {
    const auto batch = static_cast<std::size_t>(boxes.shape[0]);
    Outputs expected(batch, maximum), outputs(batch, maximum);
    tundish::non_max_suppression_into(expected.view(), boxes, scores, rule);

    const std::size_t bytes = cuda::non_max_suppression_workspace_bytes(
        {boxes.shape[0], boxes.shape[1], scores.shape[2], maximum}, rule.format, rule.multi_label);
    std::vector<unsigned char> workspace = unwritten<unsigned char>(bytes);
    const cuda::SuppressionPlan plan =
        cuda::plan_suppression(outputs.view(), boxes, scores, rule, workspace.data());
    std::memset(workspace.data(), 0, plan.zeroed);
    simt::launch({plan.collecting.x, plan.collecting.y}, {cuda::kCollectColumns, cuda::kCollectRows},
                 [&] { cuda::tundish_non_max_suppression_collect(plan.arguments); });
    const auto kernel = rule.format == BoxFormat::rotated ? cuda::tundish_non_max_suppression_rotated
                                                          : cuda::tundish_non_max_suppression;
    simt::launch(plan.suppressing.x, plan.suppressing_threads.x, [&] { kernel(plan.arguments); });
    require_equal(expected.counts, outputs.counts, "counts");
    require_equal(expected.boxes, outputs.boxes, "boxes");
    require_equal(expected.classes, outputs.classes, "classes");
    require_equal(expected.scores, outputs.scores, "scores");
    ++cases;
}

float random_unit() { return static_cast<float>(random_below(1 << 20)) / static_cast<float>(1 << 20); }

// What the exceptions of the contract depend on, now and then.
float random_number(float low, float high, bool strange) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr float kStrange[] = {0.0F, -0.0F, kInfinity, -kInfinity, NAN, 3e38F, -3e38F, 1e-45F};
    const float value = low + (high - low) * random_unit();
    return strange && random_below(9) == 0 ? kStrange[random_below(8)] : value;
}

struct Sizes {
    std::int64_t batch, boxes, classes, maximum;
};

// `ties` is how many different scores there are, or 0 for any.
void compare_random(const Sizes& sizes, BoxFormat format, const SuppressionRule& options, std::int64_t ties,
                    bool strange) {
    const std::int64_t numbers = tundish::box_numbers(format), layout = random_below(3);
    std::vector<float> boxes(static_cast<std::size_t>(sizes.batch * sizes.boxes * numbers));
    std::vector<float> scores(static_cast<std::size_t>(sizes.batch * sizes.boxes * sizes.classes));
    for (float& number : boxes) {
        number = random_number(0.0F, 8.0F, strange);
    }
    for (float& score : scores) {
        const float value = random_number(0.0F, 1.0F, strange);
        score = ties == 0 ? value : std::floor(value * static_cast<float>(ties)) / static_cast<float>(ties);
    }
    SuppressionRule rule = options;
    rule.format = format;
    compare(view_of(boxes, sizes.batch, sizes.boxes, numbers, layout),
            view_of(scores, sizes.batch, sizes.boxes, sizes.classes, layout), rule, sizes.maximum);
}

void run(int count) {
    constexpr std::int64_t kBoxes[] = {1, 2, 31, 32, 33, 63, 65, 100, 130};
    constexpr std::int64_t kClasses[] = {1, 2, 5, 33};
    for (int i = 0; 5 * i < count; ++i) {
        const std::int64_t boxes = kBoxes[random_below(9)], classes = kClasses[random_below(4)];
        const std::int64_t batch = 1 + random_below(2), maximum = 1 + random_below(boxes * classes);
        const float iou = static_cast<float>(random_below(5)) / 4.0F;
        const bool agnostic = random_below(2) == 0, multi_label = random_below(3) == 0;
        const float threshold = multi_label ? 0.9F : 0.25F;
        compare_random({batch, boxes, classes, maximum}, kFormats[i % 3],
                       {kFormats[i % 3], threshold, iou, agnostic, multi_label}, random_below(9), i % 4 == 1);
    }
    // More candidates than are sorted at a time: all scores different, and all the same.
    const SuppressionRule all{BoxFormat::corners, -1.0F, 0.5F, false, true};
    compare_random({1, 450, 5, 3}, BoxFormat::corners, all, 0, false);
    compare_random({1, 450, 5, 3}, BoxFormat::corners, all, 1, false);
    if (count < 100) {
        return;  // the thread sanitizer has seen all lines
    }
    // Few are kept, so that all of the candidates are looked at.
    const SuppressionRule agnostic{BoxFormat::center, -1.0F, 0.1F, true, true};
    compare_random({1, 450, 5, 2200}, BoxFormat::center, agnostic, 0, false);
    compare_random({1, 450, 5, 2200}, BoxFormat::center, agnostic, 7, false);
    compare_random({1, 2100, 1, 70}, BoxFormat::rotated, agnostic, 0, false);
}

}  // namespace

int main(int count, char** arguments) { return drive(count, arguments, run); }
