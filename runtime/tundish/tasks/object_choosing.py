"""Which of a network's candidates are objects: by suppression, or by the network itself, in pixels of its input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import EngineError
from tundish.manifest import BoxPostprocess, ListedPostprocess
from tundish.tasks import not_finite
from tundish_kernels import non_max_suppression

Shape = tuple[int | str, ...]
"""Of an output, as a bundle must have it; a name stands for any size."""

_FORMS: dict[str, Literal["xyxy", "cxcywh", "rotated"]] = {
    "corners": "xyxy",
    "centre": "cxcywh",
    "oriented": "rotated",
}


class Chosen(NamedTuple):
    """The objects of one image, highest score first; equal scores keep the network's order."""

    classes: NDArray[np.integer]
    """`[objects]`, which label each has."""
    scores: NDArray[np.float32]
    """`[objects]`."""
    boxes: NDArray[np.float32]
    """`[objects, 4]` x_min, y_min, x_max and y_max; of oriented ones `[objects, 5]`, see `BoxPostprocess.box_form`."""
    places: NDArray[np.integer]
    """`[objects]`, which of the candidates, or of those that the network lists, each is."""


class ObjectChooser(Protocol):
    """Reads the outputs of one kind of network."""

    @property
    def needed(self) -> Mapping[str, Shape]:
        """The outputs that it reads."""
        ...

    def choose(self, outputs: Arrays) -> list[Chosen | EngineError]:
        """The objects of each image of a batch; an error where the engine gave NaN or an infinity."""
        ...


def load_chooser(rule: BoxPostprocess | ListedPostprocess) -> ObjectChooser:
    """The chooser of a rule."""
    return ListedChooser(rule) if isinstance(rule, ListedPostprocess) else CandidateChooser(rule)


class CandidateChooser:
    """Candidates all over the image, as YOLO, SSD and most detectors of faces have them."""

    def __init__(self, rule: BoxPostprocess) -> None:
        self._rule = rule

    @property
    def needed(self) -> Mapping[str, Shape]:
        """See `ObjectChooser.needed`."""
        labels, numbers = len(self._rule.labels), 5 if self._rule.box_form == "oriented" else 4
        if self._rule.candidates_last:
            return {"boxes": ("batch", numbers, "candidates"), "scores": ("batch", labels, "candidates")}
        return {"boxes": ("batch", "candidates", numbers), "scores": ("batch", "candidates", labels)}

    def choose(self, outputs: Arrays) -> list[Chosen | EngineError]:
        """See `ObjectChooser.choose`."""
        rule = self._rule
        boxes, scores = (_floats(outputs[name]) for name in ("boxes", "scores"))
        if rule.candidates_last:
            boxes, scores = boxes.swapaxes(1, 2), scores.swapaxes(1, 2)
        if not boxes.shape[1]:  # some networks drop what is not sure
            none = np.zeros(0, np.intp)
            return [Chosen(none, scores[row, :, 0], boxes[row], none) for row in range(len(boxes))]
        found = non_max_suppression(
            boxes,
            scores,
            box_format=_FORMS[rule.box_form],
            score_threshold=rule.threshold,
            iou_threshold=rule.iou,
            max_detections=rule.max_objects,
            class_agnostic=rule.class_agnostic,
        )
        results: list[Chosen | EngineError] = []
        for row, count in enumerate(found.counts.tolist()):
            # A NaN is never above the threshold, so that what is found may not show it.
            if not np.isfinite(scores[row]).all() or not np.isfinite(boxes[row]).all():
                results.append(not_finite("scores and boxes"))
                continue
            places = found.indices[row, :count]
            chosen = boxes[row, places]
            corners = _corners(chosen) if rule.box_form == "centre" else chosen
            results.append(Chosen(found.classes[row, :count], found.scores[row, :count], corners, places))
        return results


class ListedChooser:
    """Objects that the network has chosen itself, with suppression inside it or without any."""

    def __init__(self, rule: ListedPostprocess) -> None:
        self._rule = rule

    @property
    def needed(self) -> Mapping[str, Shape]:
        """See `ObjectChooser.needed`."""
        rows = ("batch", "objects")
        return {"boxes": (*rows, 5 if self._rule.box_form == "oriented" else 4), "scores": rows, "classes": rows}

    def choose(self, outputs: Arrays) -> list[Chosen | EngineError]:
        """See `ObjectChooser.choose`; an error also where a class has no label."""
        rows = (_floats(outputs[name]) for name in ("boxes", "scores", "classes"))
        return [self._choose(*row) for row in zip(*rows, strict=True)]

    def _choose(
        self, boxes: NDArray[np.float32], scores: NDArray[np.float32], classes: NDArray[np.float32]
    ) -> Chosen | EngineError:
        labels = len(self._rule.labels)
        if not np.isfinite(scores).all() or not np.isfinite(boxes).all():
            return not_finite("scores and boxes")
        kept = np.flatnonzero(scores > self._rule.threshold)
        order = kept[np.argsort(-scores[kept], kind="stable")]
        numbers = classes[order]
        if wrong := [number for number in numbers.tolist() if number not in range(labels)]:
            return EngineError(
                f"The engine gave the class {wrong[0]:g}, and there are {labels} labels; export the model anew."
            )
        return Chosen(numbers.astype(np.intp), scores[order], boxes[order], order)


def _floats(array: NDArray[np.generic]) -> NDArray[np.float32]:
    return array.astype(np.float32, copy=False)


def _corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of centres and sizes, `[objects, 4]`."""
    centres, halves = boxes[:, :2], np.float32(0.5) * boxes[:, 2:]
    corners: NDArray[np.float32] = np.concatenate([centres - halves, centres + halves], axis=1)
    return corners
