// The detections of a batch of images that no better one overlaps too much, on the CPU.
#pragma once

#include <cstdint>
#include <string>

#include "tundish/isa.h"

namespace tundish {

// What the numbers of a box mean, in any unit: x1, y1, x2, y2; or center x, center y, width, height; or these
// and an angle in radians, which turns the x axis towards the y axis.
enum class BoxFormat { corners, center, rotated };

// Parses "xyxy", "cxcywh" or "rotated"; throws std::invalid_argument for anything else.
BoxFormat parse_box_format(const std::string& name);

// Numbers of a box: five of a rotated one, four of others.
constexpr std::int64_t box_numbers(BoxFormat format) { return format == BoxFormat::rotated ? 5 : 4; }

constexpr std::int64_t kMaximumBoxes = 1 << 24;
constexpr std::int64_t kMaximumClasses = 1 << 16;
constexpr std::int64_t kMaximumDetections = 1 << 16;

// A [batch, boxes, last] array of floats that the caller owns; strides in elements, of any sign.
struct StridedView {
    const float* data;
    std::int64_t shape[3];
    std::int64_t strides[3];
};

// C-contiguous arrays that the caller owns: three of [batch, maximum], and counts [batch].
struct Detections {
    std::int32_t* boxes;
    std::int32_t* classes;
    float* scores;
    std::int32_t* counts;
    std::int64_t maximum;
};

struct SuppressionRule {
    BoxFormat format;
    float score_threshold;  // a score must be above it
    float iou_threshold;    // 0 to 1; a box goes if its intersection over union with a better one is above it
    bool class_agnostic;    // whether boxes of other classes count as well
    bool multi_label;       // whether a box may be found for each of its classes, or for its best alone
};

// Greedy suppression: of all pairs of a box and a class, the one with the highest score is kept, those that
// it overlaps too much are dropped, and so on with what remains, until `maximum` are kept. Of equal scores
// the lower box comes first, then the lower class. Writes every element of `detections`, in that order;
// behind the last, boxes and classes are -1 and scores 0. counts[i] is the number of detections of image i.
//
// `boxes` is [batch, boxes, 4] ([batch, boxes, 5] if rotated) of any strides, `scores` [batch, boxes,
// classes] with adjacent boxes or adjacent classes: so an output [batch, 4 + classes, boxes] is read in
// place. A NaN score is below every threshold. A box that is empty, inside out or not finite is kept if its
// score is, and overlaps nothing; an angle beyond 2^20 radians counts as not finite. Axis-aligned boxes are
// compared in float32 (the coordinates' differences, areas and their products rounded one by one), rotated
// ones in float64 as polygons.
//
// All instruction sets give the same result. Blocks, on the calling thread alone; safe to call from many
// threads. Borrows all arguments for the call. Time is bounded by candidates × maximum. Scratch memory, freed
// before the return: 8 bytes (while it grows, 24) for each score above the threshold, 200 for each of
// `maximum`, one for each box.
//
// Throws std::invalid_argument, with one sentence that says what was expected and what came, before anything
// is written: a null pointer, a size below 1 or above its maximum, 2^32 pairs or more, scores that are
// adjacent in neither way, shapes that do not agree, a threshold that is NaN or out of range, overlapping
// memory, an instruction set that is not available. Throws std::bad_alloc.
void non_max_suppression_into(const Detections& detections, const StridedView& boxes,
                              const StridedView& scores, const SuppressionRule& rule,
                              Isa isa = selected_isa());

}  // namespace tundish
