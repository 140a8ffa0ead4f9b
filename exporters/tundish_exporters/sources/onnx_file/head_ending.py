"""The nodes that make `boxes` and `scores` of a detector's outputs, by its head.

So one way of reading them does for all detectors, and the decoding runs in the engine, at its speed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tundish_exporters.sources.onnx_file.ending_nodes import EndingNodes
from tundish_exporters.sources.onnx_file.graph import Ending, Shape
from tundish_exporters.sources.onnx_file.heads import HALF, VARIANCES, Grid, Head, ListedHead, Numbers

_END = np.iinfo(np.int64).max
"""As far as a slice can reach."""


def candidates_ending(
    head: Head, shapes: Mapping[str, Shape], integers: Iterable[str], prototypes: str | None = None
) -> Ending:
    """For `BoxPostprocess`, or for `PrototypeMasksPostprocess` with it.

    Args:
        head: how the outputs are read.
        shapes: of all that is served, without the batch.
        integers: the outputs that are no FP32.
        prototypes: the output that holds those of masks, whose weights stand behind the labels.
    """
    nodes = _Nodes(integers, axis=1 if head.layout.candidates_last else 2)
    scores = nodes.gather_all(head.layout.scores)
    if head.activation == "softmax":
        scores = nodes.add("Softmax", scores, axis=nodes.axis)
    elif head.activation == "sigmoid":
        scores = nodes.add("Sigmoid", scores)
    if head.background != "none":
        kept = head.labels
        scores = nodes.columns(scores, kept.start, _END if kept.stop is None else kept.stop)
    if head.layout.objectness:
        objectness = nodes.gather_all(head.layout.objectness)
        if head.activation != "none":
            objectness = nodes.add("Sigmoid", objectness)
        scores = nodes.add("Mul", scores, objectness)
        if head.layout.root_of_product:
            scores = nodes.add("Sqrt", scores)
    boxes = _decoded(nodes, head, nodes.gather_all(head.layout.boxes))
    if head.form == "oriented":
        boxes = nodes.add("Concat", boxes, nodes.gather_all(head.layout.more), axis=nodes.axis)
    tensors = {"boxes": boxes, "scores": scores}
    if prototypes is not None:
        tensors |= {"coefficients": nodes.gather_all(head.layout.more), "prototypes": nodes.as_floats(prototypes)}
    return nodes.ending(tensors, shapes)


def listed_ending(
    head: ListedHead, shapes: Mapping[str, Shape], integers: Iterable[str], prototypes: str | None = None
) -> Ending:
    """For `ListedPostprocess`, or with masks; arguments as `candidates_ending` has them."""
    nodes = _Nodes(integers, axis=2)
    boxes = nodes.gather(head.boxes)
    if head.form == "corners-yx":
        boxes = nodes.x_first(boxes)
    if head.unit == "shares":
        boxes = nodes.add("Mul", boxes, nodes.constant(head.unit_scale))
    scores, classes = (
        nodes.add("Squeeze", nodes.gather(part), nodes.constant(np.array([2]))) for part in (head.scores, head.classes)
    )
    if head.count is not None:
        places = nodes.constant(np.arange(int(shapes["scores"][0]), dtype=np.float32))
        count = nodes.add("Reshape", nodes.as_floats(head.count), nodes.constant(np.array([-1, 1])))
        is_object = nodes.add("Less", places, count)
        scores = nodes.add("Where", is_object, scores, nodes.constant(np.zeros((), np.float32)))
    if head.first_class:
        classes = nodes.add("Sub", classes, nodes.constant(np.array(head.first_class, np.float32)))
    more = None if head.more is None else nodes.gather(head.more)
    if head.form == "oriented" and more is not None:
        boxes = nodes.add("Concat", boxes, more, axis=nodes.axis)
    tensors = {"boxes": boxes, "scores": scores, "classes": classes}
    if prototypes is not None and more is not None:
        tensors |= {"coefficients": more, "prototypes": nodes.as_floats(prototypes)}
    return nodes.ending(tensors, shapes)


def _decoded(nodes: _Nodes, head: Head, raw: str) -> str:
    if head.form == "corners-yx":
        raw = nodes.x_first(raw)
    if head.grid is None:
        return raw if head.unit == "pixels" else nodes.add("Mul", raw, nodes.of_columns(head.unit_scale))
    first, second = nodes.columns(raw, 0, 2), nodes.columns(raw, 2, 4)
    pair = _pair_of_grid(nodes, head, head.grid, first, second)
    return nodes.add("Concat", *pair, axis=nodes.axis)


def _pair_of_grid(nodes: _Nodes, head: Head, grid: Grid, first: str, second: str) -> tuple[str, str]:
    """The first and the last two numbers of boxes in pixels."""
    cells, strides = nodes.of_rows(grid.cells), nodes.of_rows(grid.strides)
    if head.form == "distances":
        corners = nodes.add("Sub", cells, first), nodes.add("Add", cells, second)
        return nodes.add("Mul", corners[0], strides), nodes.add("Mul", corners[1], strides)
    if head.form == "offsets":
        return nodes.add("Mul", nodes.add("Add", first, cells), strides), nodes.add(
            "Mul", nodes.add("Exp", second), strides
        )
    assert grid.anchors is not None  # of all forms that are left
    anchors = nodes.of_rows(grid.anchors)
    if head.form == "priors":
        centres = nodes.of_rows((grid.cells + HALF) * grid.strides)
        moved = nodes.add("Mul", first, nodes.of_rows(grid.anchors * VARIANCES[0]))
        grown = nodes.add("Exp", nodes.add("Mul", second, nodes.constant(np.array(VARIANCES[1]))))
        return nodes.add("Add", moved, centres), nodes.add("Mul", grown, anchors)
    if head.activation != "none":
        first = nodes.add("Sigmoid", first)
        second = second if head.form == "darknet" else nodes.add("Sigmoid", second)
    if head.form == "darknet":
        sizes = nodes.add("Mul", nodes.add("Exp", second), anchors)
        return nodes.add("Mul", nodes.add("Add", first, cells), strides), sizes
    two = nodes.constant(np.array(2, np.float32))
    shifted = nodes.add("Add", nodes.add("Mul", first, two), nodes.of_rows(grid.cells - np.float32(0.5)))
    doubled = nodes.add("Mul", second, two)
    sizes = nodes.add("Mul", nodes.add("Mul", doubled, doubled), anchors)
    return nodes.add("Mul", shifted, strides), sizes


class _Nodes(EndingNodes):
    """Nodes for rows of numbers, whose columns lie along `axis` of three."""

    def __init__(self, integers: Iterable[str], *, axis: int) -> None:
        super().__init__(integers)
        self.axis = axis

    def of_rows(self, values: NDArray[np.float32]) -> str:
        """A constant `[rows, columns]` as the tensors have it."""
        return self.constant(np.ascontiguousarray(values[np.newaxis] if self.axis == 2 else values.T[np.newaxis]))

    def of_columns(self, values: NDArray[np.float32]) -> str:
        """A constant `[columns]`, the same for all rows."""
        return self.of_rows(values[np.newaxis])

    def columns(self, tensor: str, begin: int, end: int) -> str:
        bounds = [self.constant(np.array([value])) for value in (begin, end, self.axis)]
        return self.add("Slice", tensor, *bounds)

    def x_first(self, boxes: str) -> str:
        return self.add("Gather", boxes, self.constant(np.array([1, 0, 3, 2])), axis=self.axis)

    def gather(self, numbers: Numbers) -> str:
        tensor = self.as_floats(numbers.output)
        if numbers.split is not None:
            tensor = self.add("Reshape", tensor, self.constant(np.array(numbers.split)))
        if numbers.order is not None:
            tensor = self.add("Transpose", tensor, perm=list(numbers.order))
        if numbers.rows is not None:
            tensor = self.add("Reshape", tensor, self.constant(np.array(numbers.rows)))
        return self.columns(tensor, *numbers.columns)

    def gather_all(self, parts: Sequence[Numbers]) -> str:
        gathered = [self.gather(part) for part in parts]
        return gathered[0] if len(gathered) == 1 else self.add("Concat", *gathered, axis=3 - self.axis)
