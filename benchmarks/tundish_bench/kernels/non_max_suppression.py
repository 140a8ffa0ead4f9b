"""non_max_suppression on the output of a YOLO, 8400 boxes of 80 classes, against NumPy and OpenCV.

The baselines are given the output as it is, `[1, 84, 8400]`, and do what a competent user writes around them: the best
class of each box, the threshold, boxes from centres to corners, and the greedy loop as torchvision has it, vectorised
over the boxes that remain, with classes kept apart by an offset; or OpenCV's own loop in C++.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.timing import Case
from tundish_kernels import non_max_suppression

_BOXES, _CLASSES, _SIZE = 8400, 80, 640
_SCORE, _IOU, _MOST = 0.25, 0.5, 300

Floats = NDArray[np.float32]


def cases() -> Iterator[Case]:
    """A crowded image: 500 objects, of which 300 are kept."""
    output = yolo_output()
    yield _case(output, _by_numpy, "NumPy", 10.0)
    yield _case(output, _by_opencv, "cv2.dnn.NMSBoxesBatched", 3.0)


def _case(output: Floats, baseline: Callable[[Floats], list[tuple[int, int]]], baseline_name: str, goal: float) -> Case:
    boxes, scores = output[:, :4].swapaxes(1, 2), output[:, 4:].swapaxes(1, 2)

    def operator() -> list[tuple[int, int]]:
        found = non_max_suppression(
            boxes, scores, box_format="cxcywh", score_threshold=_SCORE, iou_threshold=_IOU, max_detections=_MOST
        )
        count = found.counts[0]
        return list(zip(found.indices[0, :count].tolist(), found.classes[0, :count].tolist(), strict=True))

    def check() -> None:
        found = operator()
        if found != baseline(output) or len(found) != _MOST:
            raise BenchmarkError(f"non_max_suppression differs from {baseline_name}.")

    return Case(
        name=f"non_max_suppression 8400 x 80, 300 kept, beside {baseline_name}",
        operator=operator,
        baseline=lambda: baseline(output),
        baseline_name=baseline_name,
        bytes_moved=scores.nbytes,
        goal=goal,
        check=check,
    )


def yolo_output() -> Floats:
    """Each object is seen by a dozen boxes around it, the others see nothing."""
    generator = np.random.default_rng(0)
    objects = 500
    centers = generator.uniform(20, _SIZE - 20, (objects, 2))
    sizes = generator.uniform(16, 80, (objects, 2))
    classes = generator.integers(0, _CLASSES, objects)
    output = generator.uniform(0, 0.01, (1, 4 + _CLASSES, _BOXES)).astype(np.float32)
    seen = generator.choice(_BOXES, 12 * objects, replace=False)
    which = np.repeat(np.arange(objects), 12)
    output[0, :2] = generator.uniform(0, _SIZE, (2, _BOXES))
    output[0, 2:4] = generator.uniform(8, 100, (2, _BOXES))
    output[0, :2, seen] = centers[which] + generator.normal(0, 2, (len(seen), 2))
    output[0, 2:4, seen] = sizes[which] * generator.uniform(0.9, 1.1, (len(seen), 2))
    output[0, 4 + classes[which], seen] = generator.uniform(0.05, 0.95, len(seen))
    return output


def _candidates(output: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats, Floats]:
    """Boxes above the threshold, their best classes, their scores, and their corners."""
    all_scores = output[0, 4:]
    best = all_scores.max(axis=0)
    indices = np.flatnonzero(best > _SCORE)
    classes = all_scores[:, indices].argmax(axis=0)
    centers, halves = output[0, :2, indices], output[0, 2:4, indices] / 2
    return indices, classes, best[indices], np.concatenate([centers - halves, centers + halves], axis=1)


def _by_numpy(output: Floats) -> list[tuple[int, int]]:
    indices, classes, scores, corners = _candidates(output)
    x1, y1, x2, y2 = (corners + (classes * np.float32(2 * _SIZE))[:, np.newaxis]).T
    areas = (x2 - x1) * (y2 - y1)
    order = np.argsort(-scores, kind="stable")
    kept: list[tuple[int, int]] = []
    while order.size and len(kept) < _MOST:
        first, rest = order[0], order[1:]
        kept.append((int(indices[first]), int(classes[first])))
        width = np.maximum(0, np.minimum(x2[first], x2[rest]) - np.maximum(x1[first], x1[rest]))
        height = np.maximum(0, np.minimum(y2[first], y2[rest]) - np.maximum(y1[first], y1[rest]))
        common = width * height
        order = rest[common <= _IOU * (areas[first] + areas[rest] - common)]
    return kept


def _by_opencv(output: Floats) -> list[tuple[int, int]]:
    indices, classes, scores, corners = _candidates(output)
    rectangles = np.hstack([corners[:, :2], output[0, 2:4, indices]])
    # Its types say sequences; arrays are taken as well, and faster.
    arguments: tuple[Any, ...] = (rectangles, scores, classes.astype(np.int32), _SCORE, _IOU)
    kept = cv2.dnn.NMSBoxesBatched(*arguments)[:_MOST]
    return list(zip(indices[kept].tolist(), classes[kept].tolist(), strict=True))
