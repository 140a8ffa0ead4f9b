"""A detector's own answers in plain NumPy, by its head: what the exported graph and the runtime are held against."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.manifest import BoxPostprocess
from tundish_exporters.quadrilaterals import overlaps
from tundish_exporters.sources.onnx_file.heads import HALF, VARIANCES, Head, ListedHead, Numbers

Floats = NDArray[np.float32]


def gather(numbers: Numbers, answer: Arrays, *, candidates_last: bool = False) -> Floats:
    """`[batch, rows, columns] float32`."""
    array = answer[numbers.output].astype(np.float32)
    if numbers.split is not None:
        array = array.reshape([extent or array.shape[axis] for axis, extent in enumerate(numbers.split)])
    if numbers.order is not None:
        array = array.transpose(numbers.order)
    if numbers.rows is not None:
        array = array.reshape([extent or array.shape[axis] for axis, extent in enumerate(numbers.rows)])
    if candidates_last:
        array = array.swapaxes(1, 2)
    return array[..., slice(*numbers.columns)]


def gather_all(parts: Iterable[Numbers], answer: Arrays, *, candidates_last: bool = False) -> Floats:
    """Of all levels, one behind the other."""
    return np.concatenate([gather(part, answer, candidates_last=candidates_last) for part in parts], axis=1)


def read_candidates(head: Head, answer: Arrays) -> dict[str, Floats]:
    """`boxes` and `scores` as `BoxPostprocess` has them."""
    layout = head.layout

    def rows(parts: tuple[Numbers, ...]) -> Floats:
        return gather_all(parts, answer, candidates_last=layout.candidates_last)

    scores = rows(layout.scores)
    if head.activation == "softmax":
        powers = np.exp(scores - scores.max(axis=2, keepdims=True))
        scores = powers / powers.sum(axis=2, keepdims=True)
    elif head.activation == "sigmoid":
        scores = _sigmoid(scores)
    scores = scores[..., head.labels]
    if layout.objectness:
        objectness = rows(layout.objectness)
        scores = scores * (objectness if head.activation == "none" else _sigmoid(objectness))
        if head.layout.root_of_product:
            scores = np.sqrt(scores)
    boxes = _decoded(head, rows(layout.boxes))
    if head.form == "oriented":
        boxes = np.concatenate([boxes, rows(layout.more)], axis=2)
    if layout.candidates_last:
        boxes, scores = boxes.swapaxes(1, 2), scores.swapaxes(1, 2)
    return {"boxes": boxes, "scores": scores}


def read_listed(head: ListedHead, answer: Arrays) -> dict[str, Floats]:
    """`boxes`, `scores` and `classes` as `ListedPostprocess` has them."""
    boxes = gather(head.boxes, answer)
    if head.form == "corners-yx":
        boxes = boxes[..., [1, 0, 3, 2]]
    scores, classes = gather(head.scores, answer)[..., 0], gather(head.classes, answer)[..., 0]
    if head.count is not None:
        count = answer[head.count].astype(np.float32).reshape(-1, 1)
        scores = np.where(np.arange(scores.shape[1]) < count, scores, np.float32(0))
    boxes = boxes * head.unit_scale
    if head.form == "oriented":
        assert head.more is not None  # its angle
        boxes = np.concatenate([boxes, gather(head.more, answer)], axis=2)
    return {"boxes": boxes, "scores": scores, "classes": classes - np.float32(head.first_class)}


def suppressed(rule: BoxPostprocess, boxes: Floats, scores: Floats) -> list[tuple[int, int]]:
    """The candidate and the label of each object of an image, of every score above 0, by greedy suppression.

    `boxes` are corners `[candidates, 2, 2]`, or `[candidates, 4, 2]` of oriented ones, `scores` `[candidates, labels]`.
    """
    labels = scores.argmax(axis=1)
    best = scores.max(axis=1)
    left = np.flatnonzero(best > 0)
    left = left[np.argsort(-best[left], kind="stable")]
    kept: list[tuple[int, int]] = []
    overlapping = overlaps if rule.box_form == "oriented" else _overlaps
    while len(left) and len(kept) < rule.max_objects:
        first, left = left[0], left[1:]
        kept.append((int(first), int(labels[first])))
        rivals = np.flatnonzero(rule.class_agnostic | (labels[left] == labels[first]))
        left = np.delete(left, rivals[overlapping(boxes[first], boxes[left[rivals]]) > rule.iou])
    return kept


def _overlaps(box: Floats, others: Floats) -> NDArray[np.float64]:
    """Intersection over union; 0 where either has no area."""
    wide, other = box.astype(np.float64), others.astype(np.float64)
    sides = np.minimum(wide[1], other[:, 1]) - np.maximum(wide[0], other[:, 0])
    shared = sides.clip(min=0).prod(axis=1)
    area, areas = (wide[1] - wide[0]).clip(min=0).prod(), (other[:, 1] - other[:, 0]).clip(min=0).prod(axis=1)
    union = area + areas - shared
    overlaps: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    return overlaps


def _decoded(head: Head, raw: Floats) -> Floats:
    """Boxes in pixels, in the head's `box_form`."""
    if head.form == "corners-yx":
        raw = raw[..., [1, 0, 3, 2]]
    if head.grid is None:
        return raw * head.unit_scale
    cells, strides, anchors = head.grid.cells, head.grid.strides, head.grid.anchors
    first, second = raw[..., :2], raw[..., 2:]
    if head.form == "distances":
        return np.concatenate([(cells - first) * strides, (cells + second) * strides], axis=-1)
    if head.form == "offsets":
        return np.concatenate([(first + cells) * strides, np.exp(second) * strides], axis=-1)
    assert anchors is not None  # of all forms that are left
    if head.form == "priors":
        first, second = first * VARIANCES[0], second * VARIANCES[1]
        return np.concatenate([(cells + HALF) * strides + first * anchors, np.exp(second) * anchors], axis=-1)
    if head.activation != "none":
        first = _sigmoid(first)
        second = second if head.form == "darknet" else _sigmoid(second)
    if head.form == "darknet":
        return np.concatenate([(first + cells) * strides, np.exp(second) * anchors], axis=-1)
    return np.concatenate([(2 * first - np.float32(0.5) + cells) * strides, (2 * second) ** 2 * anchors], axis=-1)


def _sigmoid(values: Floats) -> Floats:
    sigmoid: Floats = np.float32(0.5) * (1 + np.tanh(values / 2))
    return sigmoid
