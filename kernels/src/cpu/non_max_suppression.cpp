// Checks the arguments of non_max_suppression_into, collects the candidates and keeps the best of them.
#include "tundish/non_max_suppression.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "arguments.h"
#include "kept_boxes.h"
#include "memory.h"
#include "non_max_suppression_checks.h"
#include "non_max_suppression_loops.h"
#include "tundish/candidate.h"

namespace tundish {
namespace {

// Addresses from the first byte that the view reaches to one past the last.
Memory memory_of(const StridedView& view) {
    std::int64_t first = 0;
    std::int64_t last = 0;
    for (int axis = 0; axis < 3; ++axis) {
        const std::int64_t reach = (view.shape[axis] - 1) * view.strides[axis];
        first += std::min<std::int64_t>(reach, 0);
        last += std::max<std::int64_t>(reach, 0);
    }
    return {view.data + first, static_cast<std::size_t>(last - first + 1) * sizeof(float)};
}

void check_shapes(const StridedView& boxes, const StridedView& scores, const SuppressionRule& rule) {
    check_memory("boxes", boxes.data);
    check_memory("scores", scores.data);
    check_range("the images of boxes", boxes.shape[0], 1, INT32_MAX);
    check_range("the boxes of an image", boxes.shape[1], 1, kMaximumBoxes);
    check_range("the numbers of a box", boxes.shape[2], box_numbers(rule.format), box_numbers(rule.format));
    check_range("the images of scores", scores.shape[0], boxes.shape[0], boxes.shape[0]);
    check_range("the boxes of scores", scores.shape[1], boxes.shape[1], boxes.shape[1]);
    check_range("the classes of scores", scores.shape[2], 1, kMaximumClasses);
    check_range("boxes times classes", scores.shape[1] * scores.shape[2], 1, UINT32_MAX);
    const bool boxes_adjacent = scores.strides[1] == 1 || scores.shape[1] == 1;
    const bool classes_adjacent = scores.strides[2] == 1 || scores.shape[2] == 1;
    if (!boxes_adjacent && !classes_adjacent) {
        reject(
            "scores must have adjacent boxes or adjacent classes",
            "strides of " + std::to_string(scores.strides[1]) + " and " + std::to_string(scores.strides[2]));
    }
}

void check_thresholds(const SuppressionRule& rule) {
    if (std::isnan(rule.score_threshold)) {
        reject("score_threshold must be a number", text(rule.score_threshold));
    }
    if (!(rule.iou_threshold >= 0.0F && rule.iou_threshold <= 1.0F)) {
        reject("iou_threshold must be between 0 and 1", text(rule.iou_threshold));
    }
}

void check_detections(const Detections& detections, const StridedView& boxes, const StridedView& scores) {
    check_memory("indices", detections.boxes);
    check_memory("classes", detections.classes);
    check_memory("scores", detections.scores);
    check_memory("counts", detections.counts);
    check_range("the detections of an image", detections.maximum, 1, kMaximumDetections);
    const auto images = static_cast<std::size_t>(boxes.shape[0]);
    const std::size_t bytes = images * static_cast<std::size_t>(detections.maximum) * sizeof(float);
    const Memory outputs[] = {{detections.boxes, bytes},
                              {detections.classes, bytes},
                              {detections.scores, bytes},
                              {detections.counts, images * sizeof(std::int32_t)}};
    for (const Memory& output : outputs) {
        check_disjoint("an output", output, "boxes", memory_of(boxes));
        check_disjoint("an output", output, "scores", memory_of(scores));
        for (const Memory* other = outputs; other != &output; ++other) {
            check_disjoint("an output", output, "another", *other);
        }
    }
}

}  // namespace

void check_non_max_suppression(const Detections& detections, const StridedView& boxes,
                               const StridedView& scores, const SuppressionRule& rule) {
    check_shapes(boxes, scores, rule);
    check_thresholds(rule);
    check_detections(detections, boxes, scores);
}

namespace {

// The scores of one image: `rows` of `length` adjacent numbers, boxes of one class or classes of one box.
struct ScoreRows {
    const float* data;
    std::size_t rows;
    std::size_t length;
    std::int64_t stride;
    bool of_class;

    // The pair of row and position, numbered box by box.
    std::uint32_t pair(std::size_t row, std::size_t position) const {
        return static_cast<std::uint32_t>(of_class ? position * rows + row : row * length + position);
    }
};

ScoreRows score_rows(const StridedView& scores, std::size_t image) {
    const float* const data = scores.data + static_cast<std::int64_t>(image) * scores.strides[0];
    const auto boxes = static_cast<std::size_t>(scores.shape[1]);
    const auto classes = static_cast<std::size_t>(scores.shape[2]);
    const bool boxes_adjacent = scores.strides[1] == 1 || boxes == 1;
    const bool classes_adjacent = scores.strides[2] == 1 || classes == 1;
    if (boxes_adjacent && (!classes_adjacent || boxes > classes)) {
        return {data, classes, boxes, scores.strides[2], true};
    }
    return {data, boxes, classes, scores.strides[1], false};
}

void collect(const ScoreRows& scores, float threshold, const NonMaxSuppressionLoops& loops,
             std::vector<std::uint64_t>& candidates) {
    constexpr std::size_t kChunk = 2048;
    std::uint32_t found[kChunk];
    // Rows that follow each other without a gap are one.
    const bool joined = scores.rows == 1 || scores.stride == static_cast<std::int64_t>(scores.length);
    const std::size_t runs = joined ? 1 : scores.rows;
    const std::size_t length = joined ? scores.rows * scores.length : scores.length;
    candidates.clear();
    for (std::size_t run = 0; run < runs; ++run) {
        const float* const values = scores.data + static_cast<std::int64_t>(run) * scores.stride;
        for (std::size_t begin = 0; begin < length; begin += kChunk) {
            const std::size_t count =
                loops.above(values + begin, std::min(kChunk, length - begin), threshold, found);
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t position = begin + found[i];
                const std::size_t row = run + position / scores.length;
                const std::uint32_t pair = scores.pair(row, position % scores.length);
                candidates.push_back(candidate_key(values[position], pair));
            }
        }
    }
}

// Sorts the candidates from `begin` on, so many of the best as are likely to be needed; returns the end of
// what is sorted.
std::size_t sort_some(std::vector<std::uint64_t>& candidates, std::size_t begin) {
    const std::size_t end = std::min(candidates.size(), 2 * begin + 1024);
    const auto first = candidates.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = candidates.begin() + static_cast<std::ptrdiff_t>(end);
    if (last != candidates.end()) {
        std::nth_element(first, last, candidates.end());
    }
    std::sort(first, last);
    return end;
}

// One image's row of the outputs.
struct ImageRow {
    std::int32_t* boxes;
    std::int32_t* classes;
    float* scores;
    std::int32_t* count;
    std::size_t maximum;
};

ImageRow row_of(const Detections& detections, std::size_t image) {
    const auto maximum = static_cast<std::size_t>(detections.maximum);
    const std::size_t begin = image * maximum;
    return {detections.boxes + begin, detections.classes + begin, detections.scores + begin,
            detections.counts + image, maximum};
}

template <typename Kept>
void suppress(const ImageRow& row, std::vector<std::uint64_t>& candidates, const BoxReader& boxes,
              const StridedView& scores, const float* image_scores, const SuppressionRule& rule, Kept& kept) {
    const auto classes = static_cast<std::size_t>(scores.shape[2]);
    std::vector<bool> seen(rule.multi_label ? 0 : static_cast<std::size_t>(scores.shape[1]));
    std::size_t count = 0;
    std::size_t sorted = 0;
    for (std::size_t i = 0; i < candidates.size() && count < row.maximum; ++i) {
        sorted = i == sorted ? sort_some(candidates, i) : sorted;
        const auto pair = std::size_t{pair_of_key(candidates[i])};
        const std::size_t box = pair / classes;
        const std::size_t box_class = pair % classes;
        if (!rule.multi_label) {
            if (seen[box]) {
                continue;
            }
            seen[box] = true;
        }
        if (kept.add(boxes, box, rule.class_agnostic ? 0 : static_cast<std::int32_t>(box_class))) {
            row.boxes[count] = static_cast<std::int32_t>(box);
            row.classes[count] = static_cast<std::int32_t>(box_class);
            row.scores[count] = image_scores[static_cast<std::int64_t>(box) * scores.strides[1] +
                                             static_cast<std::int64_t>(box_class) * scores.strides[2]];
            ++count;
        }
    }
    *row.count = static_cast<std::int32_t>(count);
    std::fill(row.boxes + count, row.boxes + row.maximum, -1);
    std::fill(row.classes + count, row.classes + row.maximum, -1);
    std::fill(row.scores + count, row.scores + row.maximum, 0.0F);
}

template <typename Kept>
void run(const Detections& detections, const StridedView& boxes, const StridedView& scores,
         const SuppressionRule& rule, const NonMaxSuppressionLoops& loops) {
    Kept kept(static_cast<std::size_t>(detections.maximum), loops, rule);
    std::vector<std::uint64_t> candidates;
    for (std::size_t image = 0; image < static_cast<std::size_t>(boxes.shape[0]); ++image) {
        const auto index = static_cast<std::int64_t>(image);
        const ScoreRows rows = score_rows(scores, image);
        collect(rows, rule.score_threshold, loops, candidates);
        kept.clear();
        const BoxReader reader{boxes.data + index * boxes.strides[0], boxes.strides[1], boxes.strides[2]};
        suppress(row_of(detections, image), candidates, reader, scores, rows.data, rule, kept);
    }
}

}  // namespace

BoxFormat parse_box_format(const std::string& name) {
    if (name == "xyxy") {
        return BoxFormat::corners;
    }
    if (name == "cxcywh") {
        return BoxFormat::center;
    }
    if (name == "rotated") {
        return BoxFormat::rotated;
    }
    reject("box_format must be 'xyxy', 'cxcywh' or 'rotated'", "'" + name + "'");
}

void non_max_suppression_into(const Detections& detections, const StridedView& boxes,
                              const StridedView& scores, const SuppressionRule& rule, Isa isa) {
    check_non_max_suppression(detections, boxes, scores, rule);
    check_isa(isa);

    const NonMaxSuppressionLoops& loops = non_max_suppression_loops(isa);
    if (rule.format == BoxFormat::rotated) {
        run<KeptRotated>(detections, boxes, scores, rule, loops);
    } else {
        run<KeptAxisAligned>(detections, boxes, scores, rule, loops);
    }
}

}  // namespace tundish
