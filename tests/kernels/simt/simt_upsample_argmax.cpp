// The literal upsample_argmax.cu through the shim, against the CPU form.
//
// Arguments: the order of threads, and how many random cases.
#include <cmath>
#include <limits>

#include "driver.h"
#include "tundish/upsample_argmax.h"
#include "upsample_argmax.cu"
#include "upsample_argmax_plan.h"

namespace {

namespace cuda = tundish::cuda;

struct Size {
    std::int64_t height, width;
};

// What order and the exceptions of the contract depend on, now and then: equal logits, zeros of both signs,
// infinities and NaN.
float random_logit(std::int64_t strangeness) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr float kStrange[] = {0.0F, -0.0F, 2.5F, -kInfinity, kInfinity, NAN, -3e38F, 3e38F};
    if (strangeness > 0 && random_below(4) == 0) {
        return kStrange[random_below(strangeness)];
    }
    return static_cast<float>(random_below(1 << 20)) / 30000.0F - 17.0F;
}

template <typename Label>
void compare(std::int64_t batch, std::int64_t classes, const Size& source, const Size& output,
             std::int64_t strangeness) {
    std::vector<float> logits(static_cast<std::size_t>(batch * classes * source.height * source.width));
    for (float& logit : logits) {
        logit = random_logit(strangeness);
    }
    const auto size = static_cast<std::size_t>(batch * output.height * output.width);
    std::vector<Label> expected(size), labels = unwritten<Label>(size);
    tundish::upsample_argmax_into<Label>({expected.data(), batch, output.height, output.width},
                                         {logits.data(), batch, classes, source.height, source.width});

    const cuda::UpsampleArgmaxArguments arguments =
        cuda::plan_upsample_argmax<Label>({labels.data(), batch, output.height, output.width},
                                          {logits.data(), batch, classes, source.height, source.width});
    simt::launch({cuda::label_blocks(arguments), static_cast<unsigned>(batch)}, {cuda::kLabelThreads},
                 [&] { cuda::tundish_upsample_argmax(arguments); });
    require_equal(expected, labels, "labels");
    ++cases;
}

void run(int count) {
    constexpr std::int64_t kSizes[] = {1, 2, 3, 5, 15, 16, 17, 31, 33, 40};
    for (int i = 0; i < count; ++i) {
        const Size source{kSizes[i % 10], kSizes[random_below(10)]};
        const std::int64_t height = 1 + random_below(70);
        const Size output{height, 1 + random_below(100)};
        const std::int64_t classes = 1 + random_below(7), batch = 1 + random_below(2);
        const std::int64_t strangeness = i % 3 == 0 ? 0 : random_below(9);
        if (i % 2 == 0) {
            compare<std::uint8_t>(batch, classes, source, output, strangeness);
        } else {
            compare<std::int32_t>(batch, classes, source, output, strangeness);
        }
    }
    compare<std::uint8_t>(1, 256, {2, 3}, {5, 33}, 0);
    compare<std::int32_t>(1, 300, {3, 2}, {33, 5}, 0);
    compare<std::uint8_t>(2, 3, {9, 11}, {9, 11}, 8);    // the same size
    compare<std::uint8_t>(1, 3, {10, 12}, {80, 96}, 8);  // many rows between the same two
    compare<std::uint8_t>(1, 3, {5, 9}, {155, 279}, 0);  // 32 between some of them, by rounding
    compare<std::int32_t>(1, 2, {1, 300}, {1, 599}, 0);
    compare<std::int32_t>(1, 2, {1, 1}, {1, tundish::kMaximumMaskExtent}, 0);
}

}  // namespace

int main(int count, char** arguments) { return drive(count, arguments, run); }
