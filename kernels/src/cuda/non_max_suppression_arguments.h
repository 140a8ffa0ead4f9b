// What the host tells the GPU of a call of non_max_suppression; read by both compilers.
#pragma once

#include <cstdint>

#include "tundish/box_overlap.h"
#include "tundish/rotated_overlap.h"

namespace tundish::cuda {

// A box and the class in which it competes: 0 for all if classes do not matter.
struct ClassedBox {
    Box box;
    std::int32_t box_class;
};

struct ClassedRotatedBox {
    RotatedBox box;
    std::int32_t box_class;
};

// Strides are in elements. `format` is a BoxFormat. The workspace holds the last four: for each image the
// number of its candidates, their keys in any order, `capacity` apart, and the boxes that were kept, of one
// of the two types above, `maximum` apart.
struct NonMaxSuppressionArguments {
    const float* boxes;
    std::int64_t box_strides[3];
    const float* scores;
    std::int64_t score_strides[3];
    std::int64_t box_count;
    std::int32_t class_count;
    std::int32_t format;
    float score_threshold, iou_threshold;
    bool class_agnostic, multi_label, boxes_adjacent;
    std::int32_t* indices;
    std::int32_t* classes;
    float* kept_scores;
    std::int32_t* kept_counts;
    std::int64_t maximum;
    std::int64_t capacity;
    unsigned* candidate_counts;
    std::uint64_t* candidates;
    void* kept;
};

// A block that collects candidates has kCollectColumns × kCollectRows threads: along the axis of adjacent
// scores, and along the other.
constexpr int kCollectColumns = 32;
constexpr int kCollectRows = 8;

// Threads of the block that goes through the candidates of an image; rotated boxes take more registers.
constexpr int kSuppressThreads = 512;
constexpr int kSuppressRotatedThreads = 256;

}  // namespace tundish::cuda
