// The boxes that a suppression has kept, and whether a further one overlaps any of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "non_max_suppression_loops.h"
#include "tundish/non_max_suppression.h"
#include "tundish/rotated_overlap.h"

namespace tundish {

// Reads the numbers of box `index` from a row of strided boxes.
struct BoxReader {
    const float* data;
    std::int64_t box_stride;
    std::int64_t number_stride;

    float operator()(std::size_t index, std::int64_t number) const {
        return data[static_cast<std::int64_t>(index) * box_stride + number * number_stride];
    }
};

// Axis-aligned boxes, in arrays that the loops go through sixteen at a time.
class KeptAxisAligned {
  public:
    KeptAxisAligned(std::size_t maximum, const NonMaxSuppressionLoops& loops, const SuppressionRule& rule)
        : loops_(loops),
          rule_(rule),
          capacity_((maximum + kKeptBlock - 1) / kKeptBlock * kKeptBlock),
          numbers_(5 * capacity_),
          classes_(capacity_, -1) {}

    void clear() {
        classes_.assign(capacity_, -1);
        count_ = 0;
    }

    // Adds the box and returns true if none overlaps it. There must be room.
    bool add(const BoxReader& boxes, std::size_t index, std::int32_t box_class) {
        const float numbers[4] = {boxes(index, 0), boxes(index, 1), boxes(index, 2), boxes(index, 3)};
        const Box box = rule_.format == BoxFormat::corners
                            ? box_of_corners(numbers[0], numbers[1], numbers[2], numbers[3])
                            : box_of_center(numbers[0], numbers[1], numbers[2], numbers[3]);
        const KeptBoxes kept{column(0), column(1), column(2), column(3), column(4), classes_.data(), count_};
        if (loops_.suppressed(kept, box, box_class, rule_.iou_threshold)) {
            return false;
        }
        const float values[5] = {box.x1, box.y1, box.x2, box.y2, box.area};
        for (std::size_t i = 0; i < 5; ++i) {
            column(i)[count_] = values[i];
        }
        classes_[count_++] = box_class;
        return true;
    }

  private:
    float* column(std::size_t number) { return numbers_.data() + number * capacity_; }

    const NonMaxSuppressionLoops& loops_;
    const SuppressionRule& rule_;
    std::size_t capacity_;
    std::vector<float> numbers_;
    std::vector<std::int32_t> classes_;
    std::size_t count_ = 0;
};

// Rotated boxes.
class KeptRotated {
  public:
    KeptRotated(std::size_t maximum, const NonMaxSuppressionLoops&, const SuppressionRule& rule)
        : overlap_{static_cast<double>(rule.iou_threshold)} {
        boxes_.reserve(maximum);
    }

    void clear() { boxes_.clear(); }

    // Adds the box and returns true if none overlaps it. There must be room.
    bool add(const BoxReader& boxes, std::size_t index, std::int32_t box_class) {
        const RotatedBox box =
            rotated_box(boxes(index, 0), boxes(index, 1), boxes(index, 2), boxes(index, 3), boxes(index, 4));
        for (const Kept& kept : boxes_) {
            if (kept.box_class == box_class && overlap_(kept.box, box)) {
                return false;
            }
        }
        boxes_.push_back({box, box_class});
        return true;
    }

  private:
    struct Kept {
        RotatedBox box;
        std::int32_t box_class;
    };

    RotatedOverlap overlap_;
    std::vector<Kept> boxes_;
};

}  // namespace tundish
