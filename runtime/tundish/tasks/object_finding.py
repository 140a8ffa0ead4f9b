"""From a detection network's outputs to objects: a finder for each kind of `DetectionPostprocess`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import (
    BoxPostprocess,
    DetectionPostprocess,
    DetrPostprocess,
    ListedPostprocess,
    SigmoidDetrPostprocess,
    TensorSpec,
)
from tundish.results import Box, DetectedObject
from tundish.tasks import not_finite
from tundish.tasks.activations import sigmoid, softmax
from tundish.tasks.box_finding import BoxFinder, Found, ObjectFinder
from tundish.tasks.image_reading import PreparedImage
from tundish.tasks.object_choosing import Shape


def load_finder(rule: DetectionPostprocess, outputs: Sequence[TensorSpec], directory: Path) -> ObjectFinder:
    """The finder of a bundle's rule; raises BundleError if the network has not the outputs that the rule reads."""
    labels = len(rule.labels)
    match rule:
        case DetrPostprocess() | SigmoidDetrPostprocess():
            classes = labels + isinstance(rule, DetrPostprocess)
            needed: Mapping[str, Shape] = {
                "logits": ("batch", "queries", classes),
                "pred_boxes": ("batch", "queries", 4),
            }
            finder: ObjectFinder = DetrFinder(rule)
        case BoxPostprocess() | ListedPostprocess():
            finder = BoxFinder(rule)
            needed = finder.needed
        case _:
            raise BundleError(f"{directory} finds objects in a way that this version does not know; update tundish.")
    _check_outputs(needed, outputs, labels, directory)
    return finder


def _check_outputs(needed: Mapping[str, Shape], outputs: Sequence[TensorSpec], labels: int, directory: Path) -> None:
    shapes = {spec.name: spec.shape for spec in outputs}
    for name, wanted in needed.items():
        shape = shapes.get(name, ())
        if len(shape) != len(wanted) or not all(map(_fits, shape, wanted)):
            raise BundleError(
                f"{directory} must have the output '{name}' of the shape [{', '.join(map(str, wanted))}] for "
                f"{labels} labels, got {list(shape)}."
            )


def _fits(extent: int | str, wanted: int | str) -> bool:
    """A name stands for any size."""
    return isinstance(extent, str) or isinstance(wanted, str) or extent == wanted


class _Candidates(NamedTuple):
    """Of one image, an element for each."""

    scores: NDArray[np.float32]
    labels: NDArray[np.intp]
    queries: NDArray[np.intp]


class DetrFinder:
    """DETR and the families after it: a set of queries, each with logits and a box."""

    def __init__(self, rule: DetrPostprocess | SigmoidDetrPostprocess) -> None:
        self._rule = rule

    def find(self, outputs: Arrays, images: Sequence[PreparedImage]) -> list[Found | EngineError]:
        """See `ObjectFinder.find`."""
        logits = outputs["logits"].astype(np.float32, copy=False)
        boxes = outputs["pred_boxes"].astype(np.float32, copy=False)
        sizes = [image.size for image in images]
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
