"""Small ONNX detectors in the layouts of other exporters: what they find in red images, and in others, is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]

SIZE = 64
"""Of the images, each way."""
STRIDES = (8, 16, 32)
FEWER = 4
PROTOTYPES = 9
ANCHORS = np.array([[[4, 5], [8, 6], [10, 12]], [[12, 14], [16, 24], [30, 20]], [[30, 30], [44, 36], [50, 60]]], float)
"""Width and height, by stride."""


@dataclass(frozen=True)
class Truth:
    """Candidates, one or several for each cell of grids, all cells' first before their second."""

    centres: Array
    """`[candidates, 2]` in pixels."""
    sizes: Array
    cells: Array
    strides: Array
    """`[candidates, 1]`."""
    anchors: Array
    objectness: Array
    """`[candidates, 1]`, 0 to 1."""
    classes: Array
    """`[candidates, labels]`, 0 to 1."""
    angles: Array
    """`[candidates, 1]`, in radians."""
    weights: Array
    """`[candidates, PROTOTYPES]`, of a mask's prototypes."""
    prototypes: Array
    """`[PROTOTYPES, height, width]`."""

    @property
    def centred(self) -> Array:
        return np.concatenate([self.centres, self.sizes], axis=1)

    @property
    def oriented(self) -> Array:
        return np.concatenate([self.centred, self.angles], axis=1)

    @property
    def corners(self) -> Array:
        return np.concatenate([self.centres - self.sizes / 2, self.centres + self.sizes / 2], axis=1)


def truth(seed: int, labels: int, each: int = 1) -> Truth:
    """Some random candidates, few of them sure."""
    draw = np.random.default_rng(seed)
    cells, strides, anchors = [], [], []
    for stride, shapes in zip(STRIDES, ANCHORS, strict=True):
        edge = SIZE // stride
        for shape in shapes[:each]:
            for y in range(edge):
                for x in range(edge):
                    cells.append((x, y))
                    strides.append((stride,))
                    anchors.append(shape)
    grid, steps, shapes = np.array(cells, float), np.array(strides, float), np.array(anchors)
    count = len(grid)
    return Truth(
        centres=(grid + draw.uniform(0.05, 0.95, (count, 2))) * steps,
        sizes=shapes * draw.uniform(0.5, 2, (count, 2)),
        cells=grid,
        strides=steps,
        anchors=shapes,
        objectness=draw.uniform(0.01, 0.99, (count, 1)) ** 2,
        classes=draw.uniform(0.01, 0.99, (count, labels)) ** 3,
        angles=draw.uniform(-np.pi / 4, 3 * np.pi / 4, (count, 1)),
        weights=draw.normal(0, 1, (count, PROTOTYPES)),
        prototypes=draw.normal(0, 1, (PROTOTYPES, SIZE // 4, SIZE // 4)),
    )


def logit(values: Array) -> Array:
    return np.asarray(np.log(values / (1 - values)))


def undecoded(given: Truth, form: str) -> Array:
    """`[candidates, 5 + labels]` as the last convolution of YOLOX, of Darknet's networks or of v5 and v7 gives them."""
    places = given.centres / given.strides - given.cells
    if form == "offsets":
        rest = [given.objectness, given.classes]  # YOLOX's exporter has applied the sigmoid to these
        return np.concatenate([places, np.log(given.sizes / given.strides), *rest], axis=1)
    rest = [logit(given.objectness), logit(given.classes)]
    if form == "darknet":
        return np.concatenate([logit(places), np.log(given.sizes / given.anchors), *rest], axis=1)
    return np.concatenate([logit((places + 0.5) / 2), logit(np.sqrt(given.sizes / given.anchors) / 2), *rest], axis=1)


def by_stride(given: Truth, rows: Array) -> list[Array]:
    """`[each, height, width, numbers]` of each stride."""
    parts = [rows[given.strides[:, 0] == stride] for stride in STRIDES]
    return [
        part.reshape(-1, SIZE // step, SIZE // step, rows.shape[1]) for part, step in zip(parts, STRIDES, strict=True)
    ]


def write_detector(
    path: Path,
    outputs: Mapping[str, tuple[Array, Array]],
    *,
    batch: int | str = "n",
    varying: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """A network that answers an image that is red somewhere with the first arrays, another with the second.

    Args:
        path: the file.
        outputs: by name; of integers they stay integers.
        batch: the input's. An output whose first dimension is 1 has it as well.
        varying: outputs that have `FEWER` rows of an image that is not red.
        metadata: of the model.
    """
    nodes = [
        helper.make_node("Gather", ["images", "first"], ["reds"], axis=1),
        helper.make_node("ReduceMax", ["reds"], ["reddest"], axes=[2, 3]),
        helper.make_node("Greater", ["reddest", "half"], ["is_red"]),
    ]
    constants = {"first": np.array([0]), "half": np.array(0.5, np.float32)}
    infos = []
    for name, pair in outputs.items():
        is_whole = pair[0].dtype.kind == "i"
        red, other = (array.astype(np.int64 if is_whole else np.float32) for array in pair)
        constants |= {f"{name}_red": red, f"{name}_other": other}
        constants[f"{name}_shape"] = np.array([-1] + [1] * (red.ndim - 1))
        nodes.append(helper.make_node("Reshape", ["is_red", f"{name}_shape"], [f"{name}_choice"]))
        whole = f"{name}_whole" if name in varying else name
        nodes.append(helper.make_node("Where", [f"{name}_choice", f"{name}_red", f"{name}_other"], [whole]))
        shape: list[int | str] = [*red.shape]
        if shape[0] == 1:
            shape[0] = batch
        if name in varying:
            axis = int(len(red) == 1)  # behind the batch, if there is one
            shape[axis] = "found"
            constants |= {
                f"{name}_all": np.array([red.shape[axis]]),
                f"{name}_less": np.array([red.shape[axis] - FEWER]),
            }
            constants |= {f"{name}_begin": np.array([0]), f"{name}_axis": np.array([axis]), "flat": np.array([-1])}
            nodes.append(helper.make_node("Reshape", ["is_red", "flat"], [f"{name}_flat"]))
            nodes.append(helper.make_node("Where", [f"{name}_flat", f"{name}_all", f"{name}_less"], [f"{name}_end"]))
            bounds = [f"{name}_{bound}" for bound in ("begin", "end", "axis")]
            nodes.append(helper.make_node("Slice", [whole, *bounds], [name]))
        infos.append(helper.make_tensor_value_info(name, TensorProto.INT64 if is_whole else TensorProto.FLOAT, shape))
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, SIZE, SIZE])],
        infos,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.save(model, path)
    return path


Overlap = Callable[[Sequence[float], Sequence[float]], float]
"""Intersection over union of two boxes."""


def naive_objects(
    boxes: Array,
    scores: Array,
    *,
    threshold: float,
    iou: float,
    agnostic: bool = False,
    overlapping: Overlap | None = None,
) -> list[tuple[int, float, list[float]]]:
    """Label, score and box of what greedy suppression keeps of candidates, in plain loops; boxes are corners."""
    overlapping = overlapping or _overlap
    rows = [(int(row.argmax()), float(row.max()), box.tolist()) for row, box in zip(scores, boxes, strict=True)]
    waiting = sorted((row for row in rows if row[1] > threshold), key=lambda row: -row[1])
    kept: list[tuple[int, float, list[float]]] = []
    for row in waiting:
        rivals = (other for other in kept if agnostic or other[0] == row[0])
        if all(overlapping(row[2], other[2]) <= iou for other in rivals):
            kept.append(row)
    return kept


def _overlap(first: Sequence[float], second: Sequence[float]) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


Place = Callable[[list[float], int, int], list[float]]
"""Corners in pixels of the network's input to corners in pixels of an image of this width and height."""


def out_of_letterbox(box: list[float], width: int, height: int, *, corner: bool = False) -> list[float]:
    """Of an image that was resized to whole pixels: its edges are those of what lies in the letterbox."""
    ratio = min(SIZE / width, SIZE / height)
    across, down = round(width * ratio), round(height * ratio)
    # Ultralytics' way to say that an odd pixel goes below or to the right.
    left, top = (0, 0) if corner else (round((SIZE - across) / 2 - 0.1), round((SIZE - down) / 2 - 0.1))
    x, y = width / across, height / down
    return [(box[0] - left) * x, (box[1] - top) * y, (box[2] - left) * x, (box[3] - top) * y]


def out_of_stretch(box: list[float], width: int, height: int) -> list[float]:
    return [box[0] * width / SIZE, box[1] * height / SIZE, box[2] * width / SIZE, box[3] * height / SIZE]
