"""What a layout leaves open is seen from the numbers that the network gives for a few images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tundish_exporters.detector_hints import BoxForm, BoxUnit
from tundish_exporters.errors import ExportError
from tundish_exporters.onnx_hints import Activation
from tundish_exporters.sources.onnx_file.head_reading import Floats, gather, gather_all
from tundish_exporters.sources.onnx_file.heads import (
    Grid,
    Head,
    Layout,
    Letterbox,
    Level,
    ListedHead,
    Numbers,
    levels_of,
)
from tundish_exporters.sources.onnx_file.seen import Seen

_SURE = 0.999
"""The share of all boxes that must have a form; a network may turn a box of nothing inside out."""
_MOST_SHARE = 2.0
"""Of an image that a box may be or reach; in pixels, a network has larger ones among its candidates."""

_LEAST_CORRELATION = 0.5
"""Of the places of cells and of boxes that are decoded; those of trained networks reach 0.99."""
_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (16, 32))
"""Of the grids of one output, in the order of its rows."""
_ANCHORS: dict[tuple[int, ...], tuple[float, ...]] = {
    (8, 16, 32): (10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326),
    (16, 32): (10, 14, 23, 27, 37, 58, 81, 82, 135, 169, 344, 319),
}
"""By strides: those of YOLOv3 and v5, and of YOLOv3-tiny."""
_PRIORS = (16, 16, 32, 32, 64, 64, 128, 128, 256, 256, 512, 512)
"""RetinaFace's, on strides of 8, 16 and 32."""
_OF_A_PRIOR = 2
"""Candidates of a cell of RetinaFace's."""
_GRIDS = ("offsets", "distances", "darknet", "yolov5", "priors")
_WITH_ANCHORS = ("darknet", "yolov5", "priors")


def settle(layout: Layout, seen: Seen, activation: Activation | None) -> Head:
    """The head of a layout.

    Raises:
        ExportError: the numbers are no boxes of a form that is read, the grid has no anchors that are known, or a hint
            is at odds with the layout.
    """
    boxes = _all(layout.boxes, layout, seen).reshape(-1, 4)
    form = seen.hints.box_form or layout.form or _form(boxes, seen)
    _check_unit(form, seen)
    background = seen.hints.background or layout.background
    _check_background(layout, background)
    grid = None
    if form in _GRIDS:
        layout = layout if layout.levels else _with_levels(layout, seen, form)
        grid = Grid.of(layout.levels, _anchors(layout.levels, seen, form) if form in _WITH_ANCHORS else None)
    if form == "offsets" and layout.letterbox is not None and not layout.root_of_product:
        layout = replace(layout, letterbox=Letterbox(layout.letterbox.padding, "top-left"))
    return Head(
        layout=layout,
        form=form,
        unit=seen.hints.box_unit or _unit(boxes, form),
        size=seen.size,
        activation=activation or _activation(layout, seen),
        background=background,
        grid=grid,
    )


def settle_listed(head: ListedHead, seen: Seen) -> ListedHead:
    """The head with what hints and numbers say besides.

    Raises:
        ExportError: a hint is at odds with objects that the network has chosen itself.
    """
    hints = seen.hints
    _check_unit(head.form, seen)
    if hints.box_form not in (None, "corners", "corners-yx", "oriented"):
        raise ExportError(
            f"The output '{head.boxes.output}' lists objects that the network has chosen itself, whose boxes cannot be "
            f"{hints.box_form}; give corners, corners-yx or oriented, or say that overlapping boxes are dropped "
            "outside (nms)."
        )
    boxes = np.concatenate([gather(head.boxes, answer).reshape(-1, 4) for answer in seen.answers])
    classes = np.concatenate([gather(head.classes, answer).reshape(-1) for answer in seen.answers])
    are_shares = head.form != "oriented" and len(boxes) and np.abs(boxes).max() <= _MOST_SHARE and boxes.any()
    unit = hints.box_unit or ("shares" if are_shares else head.unit)
    first_class = head.first_class
    if hints.background is None and seen.labels in classes:
        first_class = 1
    elif hints.background is not None:
        first_class = 1 if hints.background == "first" else 0
    form = head.form if hints.box_form is None or head.form == "oriented" else hints.box_form
    return replace(head, form=form, unit=unit, first_class=first_class)


def _all(parts: Iterable[Numbers], layout: Layout, seen: Seen) -> Floats:
    """The numbers of all images."""
    parts = tuple(parts)
    return np.concatenate(
        [gather_all(parts, answer, candidates_last=layout.candidates_last) for answer in seen.answers], axis=1
    )


def _form(boxes: Floats, seen: Seen) -> BoxForm:
    if _is_undecoded(boxes, seen):
        return "offsets"
    if (boxes[:, 2:] >= boxes[:, :2]).all(axis=1).mean() >= _SURE:
        return "corners"
    if (boxes[:, 2:] >= 0).all(axis=1).mean() >= _SURE:
        return "centre"
    levels = _levels(len(boxes) // len(seen.answers), seen.size)
    return "priors" if levels is not None and levels[0].each == _OF_A_PRIOR else "offsets"


def _is_undecoded(boxes: Floats, seen: Seen) -> bool:
    """Whether there is a candidate for each cell of grids, and yet boxes do not lie where their cells do."""
    if (levels := _levels(len(boxes) // len(seen.answers), seen.size)) is None or levels[0].each > 1:
        return False
    grid = Grid.of(levels, None)
    cells = np.tile(grid.cells * grid.strides, (len(seen.answers), 1))
    if (np.ptp(boxes[:, :2], axis=0) == 0).any():
        return True
    return all(np.corrcoef(boxes[:, axis], cells[:, axis])[0, 1] < _LEAST_CORRELATION for axis in (0, 1))


def _levels(candidates: int, size: tuple[int, int]) -> tuple[Level, ...] | None:
    """The grids that so many candidates of one output are, if they are any."""
    for strides in _STRIDES:
        cells = sum(level.height * level.width for level in levels_of(size, strides, 1, anchors_first=False))
        if candidates and candidates % cells == 0:
            return levels_of(size, strides, candidates // cells, anchors_first=True)
    return None


def _unit(boxes: Floats, form: BoxForm) -> BoxUnit:
    in_pixels = (*_GRIDS, "oriented")
    return "shares" if form not in in_pixels and np.quantile(np.abs(boxes), _SURE) <= _MOST_SHARE else "pixels"


def _activation(layout: Layout, seen: Seen) -> Activation:
    scores = _all(layout.scores, layout, seen)
    if ((scores >= 0) & (scores <= 1)).all():
        return "none"
    return "sigmoid" if layout.background == "none" else "softmax"


def _check_unit(form: BoxForm, seen: Seen) -> None:
    if form == "oriented" and seen.hints.box_unit == "shares":
        raise ExportError(
            "Oriented boxes are read in pixels of the network's input, for shares of its width and height would bend "
            "their angles; export the model with boxes in pixels."
        )


def _check_background(layout: Layout, background: str) -> None:
    has_one = layout.background != "none"
    if has_one != (background != "none"):
        raise ExportError(
            f"The output '{layout.scores[0].output}' has {'a number more than' if has_one else 'as many numbers as'} "
            f"there are labels, so that its background cannot be '{background}'; leave that out or name other labels."
        )


def _with_levels(layout: Layout, seen: Seen, form: BoxForm) -> Layout:
    """With the grids that so many candidates of one output are."""
    candidates = _all(layout.boxes, layout, seen).shape[1] // len(seen.answers)
    levels = _levels(candidates, seen.size)
    if levels is not None and (form in _WITH_ANCHORS or levels[0].each == 1):
        # Priors are listed cell by cell.
        return replace(layout, levels=tuple(replace(level, anchors_first=form != "priors") for level in levels))
    height, width = seen.size
    raise ExportError(
        f"The {candidates} boxes of '{layout.boxes[0].output}' are neither corners nor centres and sizes, and no "
        f"candidates of grids over {height} by {width} pixels; export it with its boxes decoded, or pass --box-form."
    )


def _anchors(levels: Sequence[Level], seen: Seen, form: BoxForm) -> NDArray[np.float32]:
    """`[levels, each, 2]`."""
    strides, each = tuple(level.stride for level in levels), levels[0].each
    known: tuple[float, ...] = _ANCHORS.get(strides, ()) if each == 3 else ()
    if form == "priors":
        known = _PRIORS if strides == (8, 16, 32) and each == _OF_A_PRIOR else ()
    numbers = seen.hints.anchors or known
    wanted = 2 * sum(level.each for level in levels)
    if len(numbers) != wanted:
        shown = ", ".join(f"{level.height} by {level.width}" for level in levels)
        said = f"got {len(numbers)} of them" if seen.hints.anchors else "none are known"
        raise ExportError(
            f"The network's grids of {shown} cells have {each} anchors a cell, {wanted} widths and heights in all, and "
            f"{said}: pass --anchors."
        )
    return np.array(numbers, np.float32).reshape(len(levels), each, 2)
