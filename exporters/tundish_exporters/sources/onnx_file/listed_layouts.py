"""The layouts of objects that a network has chosen itself: their boxes, scores and classes; see `layouts.py`."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from tundish_exporters.sources.onnx_file.heads import YOLO, Letterbox, ListedHead, Numbers
from tundish_exporters.sources.onnx_file.seen import Array, Seen, are_classes, are_corners, are_scores, is_whole

_CORNERED = Letterbox(114, "top-left")
"""As MMDetection has it."""
_IS_CLASS = re.compile("class|label|cls|categories", re.IGNORECASE)
_IS_SCORE = re.compile("score|conf|prob", re.IGNORECASE)
_TENSORFLOW = "detection_boxes"
"""Under which TensorFlow's detectors give corners with y first, as shares, of classes that begin with 1."""


def listed_columns(seen: Seen) -> ListedHead | None:
    """One output with all of an object's numbers in a row."""
    for name, array in seen.outputs:
        width = array.shape[-1] if array.ndim and array.dtype.kind == "f" else 0
        if array.ndim in (2, 3) and width == 6 + seen.more:
            begin, score, label = 0, 4, 5
        elif array.ndim == 2 and width == 7:  # YOLOv7's, the number of the image first
            begin, score, label = 1, 6, 5
        else:
            continue
        rows = seen.all_rows(name, width)
        if seen.hints.nms == "inside" or _are_chosen(rows[:, begin : begin + 4], rows[:, score], rows[:, label], seen):
            shape = None if array.ndim == 3 else (1, -1, width)
            boxes, scores, classes, more = (
                Numbers(name, span, rows=shape)
                for span in ((begin, begin + 4), (score, score + 1), (label, label + 1), (6, 6 + seen.more))
            )
            return ListedHead(
                boxes=boxes,
                scores=scores,
                classes=classes,
                more=more if seen.more else None,
                form="oriented" if seen.oriented else "corners",
                size=seen.size,
                letterbox=YOLO,
            )
    return None


def listed_with_classes(seen: Seen) -> ListedHead | None:
    """One output with corners and score of an object in a row, and one of integers with its class."""
    for name, array in seen.outputs:
        if array.dtype.kind != "f" or array.ndim not in (2, 3) or array.shape[-1] != 5:
            continue
        classes = [each for each, row in seen.outputs if row.dtype.kind in "iu" and row.shape == array.shape[:-1]]
        if not classes or (array.ndim == 3 and len(array) != 1):
            continue
        batch = 0 if array.ndim == 3 else 1
        rows = None if array.ndim == 3 else (1, -1, 5)
        return ListedHead(
            boxes=Numbers(name, (0, 4), rows=rows),
            scores=Numbers(name, (4, 5), rows=rows),
            classes=Numbers(classes[0], (0, 1), rows=(batch, -1, 1)),
            size=seen.size,
            letterbox=_CORNERED,
        )
    return None


def listed_outputs(seen: Seen) -> ListedHead | None:
    """Several outputs with boxes, scores and classes of the same objects."""
    rows = {name: array for name, array in seen.outputs if array.ndim == 1 or (array.ndim == 2 and len(array) == 1)}
    for name, array in seen.outputs:
        if array.ndim not in (2, 3) or array.shape[-1] != 4 or (array.ndim == 3 and len(array) != 1):
            continue
        alike = {each: row for each, row in rows.items() if row.size == array.size // 4 and row.ndim == array.ndim - 1}
        if (pair := _scores_and_classes(alike)) is None:
            continue
        has_batch = array.ndim == 3
        scores, classes = (Numbers(each, (0, 1), rows=(0, -1, 1) if has_batch else (1, -1, 1)) for each in pair)
        counts = [each for each, row in rows.items() if row.size == 1 and each not in pair and is_whole(row)]
        is_tensorflow = name.startswith(_TENSORFLOW)
        background = seen.hints.background or ("first" if is_tensorflow else "none")
        return ListedHead(
            boxes=Numbers(name, (0, 4), rows=None if has_batch else (1, -1, 4)),
            scores=scores,
            classes=classes,
            count=counts[0] if counts and has_batch else None,
            form="corners-yx" if is_tensorflow else "corners",
            unit="shares" if is_tensorflow else "pixels",
            size=seen.size,
            first_class=1 if background == "first" else 0,
        )
    return None


def _scores_and_classes(rows: dict[str, Array]) -> tuple[str, str] | None:
    """Which of several outputs are which, by names, datatypes and numbers."""
    classes = [name for name, row in rows.items() if _IS_CLASS.search(name)] or [
        name for name, row in rows.items() if row.dtype.kind in "iu"
    ]
    classes = classes or [name for name, row in rows.items() if is_whole(row) and not _IS_SCORE.search(name)]
    floats = [name for name, row in rows.items() if row.dtype.kind == "f" and name not in classes[:1]]
    scores = [name for name in floats if _IS_SCORE.search(name)] or floats
    return (scores[0], classes[0]) if scores and classes else None


def _are_chosen(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], classes: NDArray[np.float64], seen: Seen
) -> bool:
    """Whether these are of objects, and not of candidates."""
    are_boxes = (boxes[:, 2:] >= 0).all() if seen.oriented else are_corners(boxes)
    return bool(are_boxes) and are_classes(classes, seen.labels) and are_scores(scores)
