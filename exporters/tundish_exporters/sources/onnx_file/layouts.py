"""The layouts of detectors' outputs that are recognised, by shape; what shapes leave open, the numbers say later.

| family | outputs |
|---|---|
| YOLOv8, v9, v11, v12 | `[batch, 4 + labels, rows]`, or its transpose |
| YOLOv5, v6, v7, YOLOX | `[batch, rows, 5 + labels]`, the fifth the objectness; decoded, or YOLOX's offsets |
| YOLOv3, v4, v5, v7 without a last layer | maps `[batch, each * (5 + labels), height, width]` and the like |
| YOLOv4 of PyTorch, SSD, UltraFace, DETR | boxes `[batch, rows, 4]` and scores `[batch, rows, labels]` |
| RetinaFace | boxes `[batch, rows, 4]`, still of priors, and scores `[batch, rows, 2]` |
| SCRFD, YuNet | for each stride: boxes of 4 numbers, and scores, perhaps with an objectness |
| YOLOv10, v7, with suppression inside | `[batch, rows, 6]`: corners, score, class; `[rows, 7]`: image first |
| YOLO's oriented boxes | `[batch, 4 + labels + 1, rows]`, the last an angle; `[batch, rows, 7]`: score, class, angle |
| YOLO's instances | as its boxes, with weights behind the labels, and prototypes `[batch, weights, height, width]` |
| MMDetection | `[batch, rows, 5]`: corners, score; and classes `[batch, rows]` of integers |
| TensorFlow, TensorRT, torchvision | boxes, scores and classes, perhaps with their count |

A row is a candidate or an object. Scores may have a background beside the labels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from tundish.engines import Arrays
from tundish_exporters.detector_hints import BoxForm
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.onnx_file.head_reading import gather_all
from tundish_exporters.sources.onnx_file.heads import YOLO, Layout, Letterbox, Level, ListedHead, Numbers, levels_of
from tundish_exporters.sources.onnx_file.listed_layouts import listed_columns, listed_outputs, listed_with_classes
from tundish_exporters.sources.onnx_file.seen import Array, Seen, are_angles, are_scores

_FACES = Letterbox(0, "top-left")
"""As SCRFD's and YuNet's own scripts have it."""
_IS_BOX = re.compile("box|loc|dets|coord", re.IGNORECASE)
_OF_DETR = "pred_boxes"


def find_layout(seen: Seen) -> Layout | ListedHead | None:
    """The first layout that fits; None if there is none."""
    if seen.oriented is None and not seen.more:
        found = find_layout_with_more(replace(seen, more=1, oriented=True))
        if found is not None and _are_oriented(found, seen.answers):
            return found
    if seen.oriented:
        return find_layout_with_more(seen)
    return _first(
        seen, [listed_columns, listed_with_classes, listed_outputs], [_strides, _one_output, _two_outputs, _maps]
    )


def find_layout_with_more(seen: Seen) -> Layout | ListedHead | None:
    """As `find_layout`, of those that say where the numbers behind those of the labels stand."""
    return _first(seen, [listed_columns], [_one_output])


Finder = Callable[[Seen], Layout | ListedHead | None]


def _first(seen: Seen, listed: Sequence[Finder], candidates: Sequence[Finder]) -> Layout | ListedHead | None:
    """What the first finder finds, of objects that the network has chosen before candidates."""
    nms = seen.hints.nms
    finders = [*([] if nms == "outside" else listed), *([] if nms == "inside" else candidates)]
    return next((found for finder in finders if (found := finder(seen)) is not None), None)


def _are_oriented(found: Layout | ListedHead, answers: Sequence[Arrays]) -> bool:
    """Whether what would be angles are no scores, as they are where an objectness comes before the labels."""
    if isinstance(found, ListedHead):
        return True  # these numbers were looked at
    scores, angles = (
        np.concatenate([gather_all(parts, answer, candidates_last=found.candidates_last) for answer in answers], axis=1)
        for parts in (found.scores, found.more)
    )
    return are_scores(scores) and not are_scores(angles) and are_angles(angles)


def _strides(seen: Seen) -> Layout | None:
    """Outputs for each stride: of faces, mostly."""
    groups: dict[int, list[tuple[str, Array]]] = {}
    for name, array in seen.outputs:
        if array.ndim in (2, 3) and (array.ndim == 2 or len(array) == 1):
            groups.setdefault(array.size // array.shape[-1] if array.shape[-1] else 0, []).append((name, array))
    found = [
        (level, parts)
        for rows in sorted(groups, reverse=True)
        if (level := _level(rows, seen.size)) and (parts := _parts_of_stride(groups[rows], seen.labels))
    ]
    if len(found) < 2 or len({len(parts) for _, parts in found}) != 1:
        return None
    boxes, scores, *objectness = zip(*(parts for _, parts in found), strict=True)
    return Layout(
        boxes=boxes,
        scores=scores,
        objectness=objectness[0] if objectness else (),
        root_of_product=bool(objectness),
        levels=tuple(level for level, _ in found),
        form="offsets" if objectness else "distances",
        letterbox=_FACES,
    )


def _level(rows: int, size: tuple[int, int]) -> Level | None:
    """The grid that has so many candidates."""
    for stride, each in product((4, 8, 16, 32, 64, 128), (1, 2, 3)):
        (level,) = levels_of(size, (stride,), each, anchors_first=False)
        if level.height * level.width * each == rows:
            return level
    return None


def _parts_of_stride(group: Sequence[tuple[str, Array]], labels: int) -> list[Numbers] | None:
    """Boxes, scores and, if there is another output of one number, the objectness."""

    def of_width(width: int) -> list[Numbers]:
        return [
            Numbers(name, (0, width), rows=None if array.ndim == 3 else (1, -1, width))
            for name, array in group
            if array.shape[-1] == width
        ]

    boxes, scores = of_width(4), of_width(labels)
    if not boxes or not scores or labels == 4:
        return None
    ones = [part for part in of_width(1) if part != scores[0]]
    return [boxes[0], scores[0], *ones[:1]]


def _one_output(seen: Seen) -> Layout | None:
    """One output with the numbers of a candidate in a row or a column."""
    for name, array in seen.outputs:
        if array.ndim not in (2, 3) or (array.ndim == 3 and len(array) != 1):
            continue
        rows = None if array.ndim == 3 else (1, -1, array.shape[-1])
        shape = array.shape[-2:]
        before = [
            _numbers_before_labels(extent, seen) if shape[1 - axis] else None for axis, extent in enumerate(shape)
        ]
        if None not in before:
            raise ExportError(
                f"The output '{name}' has the shape {list(array.shape)}, in which candidates may lie either way; "
                "export it for images of another size, or with a dynamic one and --size."
            )
        if before == [None, None] or (array.ndim == 2 and before[0] is not None):
            continue
        first = before[0] if before[1] is None else before[1]
        assert first is not None  # one of them is
        end = first + seen.labels
        parts = [Numbers(name, span, rows=rows) for span in ((0, 4), (first, end), (4, 5), (end, end + seen.more))]
        return Layout(
            boxes=(parts[0],),
            scores=(parts[1],),
            objectness=(parts[2],) if first == 5 else (),
            more=(parts[3],) if seen.more else (),
            candidates_last=before[0] is not None,
            form="oriented" if seen.oriented else None,
            letterbox=YOLO,
        )
    return None


def _numbers_before_labels(extent: int, seen: Seen) -> int | None:
    """How many there are, if a candidate may have so many numbers in all."""
    before = extent - seen.labels - seen.more
    return before if before == 4 or (before == 5 and not seen.oriented) else None


def _two_outputs(seen: Seen) -> Layout | None:
    """An output of boxes and one of scores."""
    pairs = [
        (boxes, scores)
        for boxes, scores in product(seen.outputs, repeat=2)
        if boxes[0] != scores[0] and boxes[1].ndim in (2, 3, 4)
    ]
    pairs.sort(key=lambda pair: not _IS_BOX.search(pair[0][0]))  # stable
    return next((found for pair in pairs if (found := _paired(*pair, seen)) is not None), None)


def _paired(boxes: tuple[str, Array], scores: tuple[str, Array], seen: Seen) -> Layout | None:
    (box_name, box_array), (name, array) = boxes, scores
    shape, wanted = array.shape, (seen.labels, seen.labels + 1)
    if box_array.ndim == 3 and box_array.shape[1] == 4 and box_array.shape[2] != 4:  # with the candidates last
        if array.ndim == 3 and shape[1] in wanted and shape[2] == box_array.shape[2]:
            parts = Numbers(box_name, (0, 4)), Numbers(name, (0, shape[1]))
            return _of_pair(*parts, seen, width=shape[1], candidates_last=True)
        return None
    candidates, rest = divmod(box_array.size, 4)
    if box_array.shape[-1] != 4 or rest or (box_array.ndim > 2 and len(box_array) != 1):
        return None
    has_batch = box_array.ndim > 2
    box_rows = None if box_array.ndim == 3 else (0 if has_batch else 1, -1, 4)
    part = Numbers(box_name, (0, 4), rows=box_rows)
    batch = 0 if has_batch else 1
    if shape[-1] in wanted and array.size == candidates * shape[-1]:
        rows = None if array.ndim == 3 else (batch, -1, shape[-1])
        return _of_pair(part, Numbers(name, (0, shape[-1]), rows=rows), seen, width=shape[-1])
    if array.ndim == 3 and shape[1] in wanted and shape[2] == candidates:
        return _of_pair(part, Numbers(name, (0, shape[1]), order=(0, 2, 1)), seen, width=shape[1])
    if seen.labels == 1 and array.size == candidates and array.ndim == box_array.ndim - 1:
        return _of_pair(part, Numbers(name, (0, 1), rows=(batch, -1, 1)), seen, width=1)
    return None


def _of_pair(boxes: Numbers, scores: Numbers, seen: Seen, *, width: int, candidates_last: bool = False) -> Layout:
    layout = Layout(boxes=(boxes,), scores=(scores,), candidates_last=candidates_last)
    if width == seen.labels:
        return layout
    return replace(layout, background="last" if boxes.output == _OF_DETR else "first")


def _maps(seen: Seen) -> Layout | None:
    """A map for each stride, of all anchors' numbers."""
    width = 5 + seen.labels
    found = [each for name, array in seen.outputs if (each := _map(name, array, width, seen.size)) is not None]
    if not found:
        return None
    found.sort(key=lambda pair: pair[0].stride)
    levels = tuple(level for level, _ in found)
    boxes, scores, objectness = (
        tuple(replace(part, columns=span) for _, part in found) for span in ((0, 4), (5, width), (4, 5))
    )
    is_of_yolov5 = all(level.anchors_first and part.split is None for level, part in found)
    form: BoxForm = "offsets" if levels[0].each == 1 else "yolov5" if is_of_yolov5 else "darknet"
    return Layout(boxes=boxes, scores=scores, objectness=objectness, levels=levels, form=form, letterbox=YOLO)


def _map(name: str, array: Array, width: int, size: tuple[int, int]) -> tuple[Level, Numbers] | None:
    """The grid that an output is, and its numbers, if it is one."""
    shape = array.shape
    if array.ndim not in (4, 5) or shape[0] != 1:
        return None
    flat = Numbers(name, (0, width), rows=(0, -1, width))
    readings: list[tuple[tuple[int, int, int], bool, Numbers]] = []
    """Height, width and candidates of a cell, whether the latter's dimension comes first, and the numbers."""
    if array.ndim == 5 and shape[4] == width:
        readings = [((shape[2], shape[3], shape[1]), True, flat), ((shape[1], shape[2], shape[3]), False, flat)]
    elif array.ndim == 4:
        each = shape[1] // width
        planes = replace(flat, split=(0, each, width, shape[2], shape[3]), order=(0, 1, 3, 4, 2))
        readings += [((shape[2], shape[3], each), True, planes)] if shape[1] % width == 0 else []
        readings += [((shape[1], shape[2], shape[3] // width), False, flat)] if shape[3] % width == 0 else []
    for extents, anchors_first, numbers in readings:
        if (level := _grid(*extents, size, anchors_first=anchors_first)) is not None:
            return level, numbers
    return None


def _grid(height: int, width: int, each: int, size: tuple[int, int], *, anchors_first: bool) -> Level | None:
    """The grid of so many cells, if it is one over the image; a cell has a few candidates."""
    stride = size[0] // height if height else 0
    if not stride or not 1 <= each <= 9 or (height * stride, width * stride) != size:
        return None
    return Level(stride, height, width, each, anchors_first)
