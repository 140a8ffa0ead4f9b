"""Finders for networks whose boxes are in pixels of their input: of candidates, or of objects chosen already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import EngineError
from tundish.manifest import BoxPostprocess, ListedPostprocess
from tundish.results import Box, DetectedObject
from tundish.tasks import not_finite
from tundish.tasks.image_reading import PreparedImage
from tundish_kernels import non_max_suppression

Found = tuple[DetectedObject, ...]

_FORMS: dict[str, Literal["xyxy", "cxcywh"]] = {"corners": "xyxy", "centre": "cxcywh"}


class ObjectFinder(Protocol):
    """Reads the outputs of one kind of network."""

    def find(self, outputs: Arrays, images: Sequence[PreparedImage]) -> list[Found | EngineError]:
        """The objects of each image of a batch, highest score first; equal scores keep the network's order.

        An error where the engine gave NaN or an infinity.
        """
        ...


class BoxFinder:
    """Candidates all over the image, as YOLO, SSD and most detectors of faces have them."""

    def __init__(self, rule: BoxPostprocess) -> None:
        self._rule = rule

    def find(self, outputs: Arrays, images: Sequence[PreparedImage]) -> list[Found | EngineError]:
        """See `ObjectFinder.find`."""
        rule = self._rule
        boxes, scores = (_floats(outputs[name]) for name in ("boxes", "scores"))
        if rule.candidates_last:
            boxes, scores = boxes.swapaxes(1, 2), scores.swapaxes(1, 2)
        if not boxes.shape[1]:  # some networks drop what is not sure
            return [() for _ in images]
        found = non_max_suppression(
            boxes,
            scores,
            box_format=_FORMS[rule.box_form],
            score_threshold=rule.threshold,
            iou_threshold=rule.iou,
            max_detections=rule.max_objects,
            class_agnostic=rule.class_agnostic,
        )
        results: list[Found | EngineError] = []
        for row, (image, count) in enumerate(zip(images, found.counts.tolist(), strict=True)):
            # A NaN is never above the threshold, so that what is found may not show it.
            if not np.isfinite(scores[row]).all() or not np.isfinite(boxes[row]).all():
                results.append(not_finite("scores and boxes"))
                continue
            chosen = boxes[row, found.indices[row, :count]]
            corners = _corners(chosen) if rule.box_form == "centre" else chosen
            results.append(_objects(rule.labels, found.classes[row, :count], found.scores[row, :count], corners, image))
        return results


class ListedFinder:
    """Objects that the network has chosen itself, with suppression inside it or without any."""

    def __init__(self, rule: ListedPostprocess) -> None:
        self._rule = rule

    def find(self, outputs: Arrays, images: Sequence[PreparedImage]) -> list[Found | EngineError]:
        """See `ObjectFinder.find`; an error also where a class has no label."""
        rows = (_floats(outputs[name]) for name in ("boxes", "scores", "classes"))
        return [self._find(*row) for row in zip(*rows, images, strict=True)]

    def _find(
        self,
        boxes: NDArray[np.float32],
        scores: NDArray[np.float32],
        classes: NDArray[np.float32],
        image: PreparedImage,
    ) -> Found | EngineError:
        labels = self._rule.labels
        if not np.isfinite(scores).all() or not np.isfinite(boxes).all():
            return not_finite("scores and boxes")
        kept = np.flatnonzero(scores > self._rule.threshold)
        order = kept[np.argsort(-scores[kept], kind="stable")]
        numbers = classes[order]
        if wrong := [number for number in numbers.tolist() if number not in range(len(labels))]:
            return EngineError(
                f"The engine gave the class {wrong[0]:g}, and there are {len(labels)} labels; export the model anew."
            )
        return _objects(labels, numbers.astype(np.intp), scores[order], boxes[order], image)


def _floats(array: NDArray[np.generic]) -> NDArray[np.float32]:
    return array.astype(np.float32, copy=False)


def _corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of centres and sizes, `[objects, 4]`."""
    centres, halves = boxes[:, :2], np.float32(0.5) * boxes[:, 2:]
    corners: NDArray[np.float32] = np.concatenate([centres - halves, centres + halves], axis=1)
    return corners


def _objects(
    labels: Sequence[str],
    classes: NDArray[np.integer],
    scores: NDArray[np.float32],
    corners: NDArray[np.float32],
    image: PreparedImage,
) -> Found:
    """With boxes in pixels of the image, of corners in pixels of the network's input."""
    place, (height, width) = image.window, image.size
    offset = np.array([place.left, place.top] * 2, np.float32)
    scale = np.array([width / place.resized_width, height / place.resized_height] * 2, np.float32)
    boxes = (corners + offset) * scale
    return tuple(
        DetectedObject(labels[index], score, Box(*box))
        for index, score, box in zip(classes.tolist(), scores.tolist(), boxes.tolist(), strict=True)
    )
