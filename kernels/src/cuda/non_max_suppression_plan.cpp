// Lays out the workspace of non_max_suppression and fills in what its kernels are told.
#include "non_max_suppression_plan.h"

namespace tundish::cuda {
namespace {

// Where the parts of the workspace begin; counts are at its beginning.
struct WorkspaceLayout {
    std::int64_t capacity;  // candidates of an image
    std::size_t candidates, kept, bytes;
};

WorkspaceLayout layout(const SuppressionSize& size, BoxFormat format, bool multi_label) {
    const auto batch = static_cast<std::size_t>(size.batch);
    const std::int64_t capacity = multi_label ? size.boxes * size.classes : size.boxes;
    const std::size_t candidates = (batch * sizeof(unsigned) + 7) / 8 * 8;
    const std::size_t kept = candidates + batch * static_cast<std::size_t>(capacity) * sizeof(std::uint64_t);
    const std::size_t box = format == BoxFormat::rotated ? sizeof(ClassedRotatedBox) : sizeof(ClassedBox);
    return {capacity, candidates, kept, kept + batch * static_cast<std::size_t>(size.maximum) * box};
}

unsigned tiles(std::int64_t length, std::int64_t tile) {
    return static_cast<unsigned>((length + tile - 1) / tile);
}

}  // namespace

std::size_t non_max_suppression_workspace_bytes(const SuppressionSize& size, BoxFormat format,
                                                bool multi_label) {
    return layout(size, format, multi_label).bytes;
}

SuppressionPlan plan_suppression(const Detections& detections, const StridedView& boxes,
                                 const StridedView& scores, const SuppressionRule& rule, void* workspace) {
    const std::int64_t batch = scores.shape[0], box_count = scores.shape[1], class_count = scores.shape[2];
    const WorkspaceLayout parts =
        layout({batch, box_count, class_count, detections.maximum}, rule.format, rule.multi_label);
    auto* const memory = static_cast<unsigned char*>(workspace);
    // Of two layouts that a length of 1 makes the same, the one that keeps more threads busy.
    const bool boxes_adjacent = scores.strides[1] == 1 || box_count == 1;
    const bool classes_adjacent = scores.strides[2] == 1 || class_count == 1;
    const bool along_boxes = boxes_adjacent && (!classes_adjacent || box_count > class_count);
    const bool rotated = rule.format == BoxFormat::rotated;
    const auto images = static_cast<unsigned>(batch);
    return {{boxes.data,
             {boxes.strides[0], boxes.strides[1], boxes.strides[2]},
             scores.data,
             {scores.strides[0], scores.strides[1], scores.strides[2]},
             box_count,
             static_cast<std::int32_t>(class_count),
             static_cast<std::int32_t>(rule.format),
             rule.score_threshold,
             rule.iou_threshold,
             rule.class_agnostic,
             rule.multi_label,
             along_boxes,
             detections.boxes,
             detections.classes,
             detections.scores,
             detections.counts,
             detections.maximum,
             parts.capacity,
             static_cast<unsigned*>(workspace),
             reinterpret_cast<std::uint64_t*>(memory + parts.candidates),
             memory + parts.kept},
            static_cast<std::size_t>(batch) * sizeof(unsigned),
            {tiles(box_count, along_boxes ? kCollectColumns : kCollectRows), images, 1},
            {images, 1, 1},
            {static_cast<unsigned>(rotated ? kSuppressRotatedThreads : kSuppressThreads), 1, 1}};
}

}  // namespace tundish::cuda
