// The inner loops of non_max_suppression; compiled once per instruction set, into the namespace TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations (see row_kernels.cpp).
#include "non_max_suppression_loops.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

std::size_t above(const float* scores, std::size_t length, float threshold, std::uint32_t* found) {
    constexpr std::size_t kBlock = 32;  // most hold nothing; a longer one costs more to search
    std::size_t count = 0;
    std::size_t begin = 0;
    for (; begin + kBlock <= length; begin += kBlock) {
        std::int32_t any = 0;
        for (std::size_t i = 0; i < kBlock; ++i) {
            any |= scores[begin + i] > threshold ? 1 : 0;
        }
        if (any == 0) {
            continue;
        }
        for (std::size_t i = begin; i < begin + kBlock; ++i) {
            found[count] = static_cast<std::uint32_t>(i);
            count += scores[i] > threshold ? 1 : 0;
        }
    }
    for (; begin < length; ++begin) {
        found[count] = static_cast<std::uint32_t>(begin);
        count += scores[begin] > threshold ? 1 : 0;
    }
    return count;
}

bool suppressed(const KeptBoxes& kept, const Box& box, std::int32_t box_class, float iou_threshold) {
    const BoxOverlap overlap{iou_threshold};
    for (std::size_t begin = 0; begin < kept.count; begin += kKeptBlock) {
        std::int32_t any = 0;
        for (std::size_t i = begin; i < begin + kKeptBlock; ++i) {
            const Box other{kept.x1[i], kept.y1[i], kept.x2[i], kept.y2[i], kept.area[i]};
            const std::int32_t overlaps = overlap(other, box) ? 1 : 0;
            any |= kept.classes[i] == box_class ? overlaps : 0;
        }
        if (any != 0) {
            return true;
        }
    }
    return false;
}

}  // namespace

extern const NonMaxSuppressionLoops kNonMaxSuppressionLoops = {above, suppressed};

}  // namespace TUNDISH_ISA
}  // namespace tundish
