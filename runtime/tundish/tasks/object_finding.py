"""From a detection network's outputs to objects: a finder for each kind of `DetectionPostprocess`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import DetectionPostprocess, DetrPostprocess, SigmoidDetrPostprocess, TensorSpec
from tundish.results import Box, DetectedObject
from tundish.tasks import not_finite
from tundish.tasks.activations import sigmoid, softmax

Found = tuple[DetectedObject, ...]


class ObjectFinder(Protocol):
    """Reads the outputs of one kind of network."""

    def find(self, outputs: Arrays, sizes: Sequence[tuple[int, int]]) -> list[Found | EngineError]:
        """The objects of each image of a batch, highest score first; equal scores keep the network's order.

        An error where the engine gave NaN or an infinity. `sizes` are the images' heights and widths in pixels.
        """
        ...


def load_finder(rule: DetectionPostprocess, outputs: Sequence[TensorSpec], directory: Path) -> ObjectFinder:
    """The finder of a bundle's rule; raises BundleError if the network has not the outputs that the rule reads."""
    if not isinstance(rule, DetrPostprocess | SigmoidDetrPostprocess):
        raise BundleError(f"{directory} finds objects in a way that this version does not know; update tundish.")
    classes = len(rule.labels) + isinstance(rule, DetrPostprocess)
    shapes = {spec.name: spec.shape for spec in outputs}
    for name, size in (("logits", classes), ("pred_boxes", 4)):
        shape = shapes.get(name, ())
        if len(shape) != 3 or (isinstance(shape[2], int) and shape[2] != size):
            raise BundleError(
                f"{directory} must have the output '{name}' of the shape [batch, queries, {size}] for "
                f"{len(rule.labels)} labels, got {list(shape)}."
            )
    return DetrFinder(rule)


class _Candidates(NamedTuple):
    """Of one image, an element for each."""

    scores: NDArray[np.float32]
    labels: NDArray[np.intp]
    queries: NDArray[np.intp]


class DetrFinder:
    """DETR and the families after it: a set of queries, each with logits and a box."""

    def __init__(self, rule: DetrPostprocess | SigmoidDetrPostprocess) -> None:
        self._rule = rule

    def find(self, outputs: Arrays, sizes: Sequence[tuple[int, int]]) -> list[Found | EngineError]:
        """See `ObjectFinder.find`."""
        logits = outputs["logits"].astype(np.float32, copy=False)
        boxes = outputs["pred_boxes"].astype(np.float32, copy=False)
        return [self._find(*image) for image in zip(logits, boxes, sizes, strict=True)]

    def _find(
        self, logits: NDArray[np.float32], boxes: NDArray[np.float32], size: tuple[int, int]
    ) -> Found | EngineError:
        one_each = isinstance(self._rule, DetrPostprocess)
        scores = softmax(logits)[:, :-1] if one_each else sigmoid(logits)
        # A NaN is never above the threshold, so that what is left may not show it.
        if not np.isfinite(scores).all() or not np.isfinite(boxes).all():
            return not_finite("scores and boxes")
        found = self._best_of_each(scores) if one_each else self._best_of_all(scores)
        order = np.argsort(-found.scores, kind="stable")
        if isinstance(self._rule, SigmoidDetrPostprocess):
            order = order[: self._rule.top_k]
        corners = _in_pixels(boxes[found.queries[order]], size)
        return tuple(
            DetectedObject(self._rule.labels[label], score, Box(*box))
            for label, score, box in zip(
                found.labels[order].tolist(), found.scores[order].tolist(), corners.tolist(), strict=True
            )
        )

    def _best_of_each(self, scores: NDArray[np.float32]) -> _Candidates:
        """Of `[queries, labels]`, the best label of each query, above the threshold."""
        labels = scores.argmax(axis=1)
        best = np.take_along_axis(scores, labels[:, np.newaxis], axis=1)[:, 0]
        queries = np.flatnonzero(best > self._rule.threshold)
        return _Candidates(best[queries], labels[queries], queries)

    def _best_of_all(self, scores: NDArray[np.float32]) -> _Candidates:
        """Of `[queries, labels]`, all that are above the threshold."""
        queries, labels = np.nonzero(scores > self._rule.threshold)
        return _Candidates(scores[queries, labels], labels, queries)


def _in_pixels(boxes: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Corners `[objects, 4]` in pixels, of centres and sizes as shares of the image's."""
    centres, halves = boxes[:, :2], np.float32(0.5) * boxes[:, 2:]
    height, width = size
    scale = np.array([width, height, width, height], np.float32)
    corners: NDArray[np.float32] = np.concatenate([centres - halves, centres + halves], axis=1) * scale
    return corners
