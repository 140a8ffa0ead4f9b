// Checks the arguments of the CUDA form of non_max_suppression_into and launches the kernels.
#include "tundish/cuda/non_max_suppression.h"

#include <string>

#include "../cpu/arguments.h"
#include "../cpu/non_max_suppression_checks.h"
#include "device.h"
#include "non_max_suppression_plan.h"

namespace tundish::cuda {

void non_max_suppression_into(const Detections& detections, const StridedView& boxes,
                              const StridedView& scores, const SuppressionRule& rule, Workspace& workspace,
                              Stream stream) {
    check_non_max_suppression(detections, boxes, scores, rule);
    check_range("the images of boxes", boxes.shape[0], 1, kMaximumGridImages);
    Workspace::State& memory = workspace.state();
    const std::size_t needed = non_max_suppression_workspace_bytes(
        {scores.shape[0], scores.shape[1], scores.shape[2], detections.maximum}, rule.format,
        rule.multi_label);
    if (needed > memory.bytes) {
        reject("workspace must have " + std::to_string(needed) + " bytes for these boxes",
               std::to_string(memory.bytes));
    }
    const Device::State& device = *memory.device;
    const Driver& driver = *device.driver;
    const CurrentContext current(driver, device.context);
    check_on_device(device, detections.boxes, "indices");
    check_on_device(device, detections.classes, "classes");
    check_on_device(device, detections.scores, "the scores of destination");
    check_on_device(device, detections.counts, "counts");
    check_on_device(device, boxes.data, "boxes");
    check_on_device(device, scores.data, "scores");

    SuppressionPlan plan = plan_suppression(
        detections, boxes, scores, rule, reinterpret_cast<void*>(static_cast<std::uintptr_t>(memory.memory)));
    check(driver, driver.memory_set(memory.memory, 0, plan.zeroed, stream),
          "the workspace cannot be cleared");
    launch(device, device.non_max_suppression_collect, plan.collecting, {kCollectColumns, kCollectRows, 1},
           &plan.arguments, stream, "non_max_suppression cannot be launched");
    launch(
        device,
        rule.format == BoxFormat::rotated ? device.non_max_suppression_rotated : device.non_max_suppression,
        plan.suppressing, plan.suppressing_threads, &plan.arguments, stream,
        "non_max_suppression cannot be launched");
}

}  // namespace tundish::cuda
