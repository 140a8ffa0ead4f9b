"""The Python forms of non_max_suppression, and the checks the native code cannot make: types and shapes."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tundish_kernels import _native
from tundish_kernels._arguments import as_integer, as_number
from tundish_kernels._arrays import check_output, check_strided

BoxFormat = Literal["xyxy", "cxcywh", "rotated"]


class Detections(NamedTuple):
    """What was found in each image of a batch, best first."""

    indices: NDArray[np.int32]
    """Of the boxes, `[batch, max_detections]`; -1 behind the last."""
    classes: NDArray[np.int32]
    """`[batch, max_detections]`; -1 behind the last."""
    scores: NDArray[np.float32]
    """`[batch, max_detections]`; 0 behind the last."""
    counts: NDArray[np.int32]
    """How many detections each image has, `[batch]`."""


def non_max_suppression(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    *,
    box_format: BoxFormat,
    score_threshold: float,
    iou_threshold: float,
    max_detections: int,
    class_agnostic: bool = False,
    multi_label: bool = False,
) -> Detections:
    """The best boxes of each image that no better one overlaps too much.

    Greedy: of all pairs of a box and a class with a score above the threshold, the one with the highest score is kept,
    those that it overlaps too much are dropped, and so on with what remains. Of equal scores the lower box comes first,
    then the lower class.

    Both arrays may have any strides as long as the scores' boxes or classes are adjacent. So a YOLO's output
    `[batch, 4 + classes, boxes]` is read in place: `boxes = output[:, :4].swapaxes(1, 2)` and
    `scores = output[:, 4:].swapaxes(1, 2)`.

    A NaN score is below every threshold. A box that is empty, inside out or not finite is kept if its score is, and
    overlaps nothing; an angle beyond 2^20 radians counts as not finite.

    Args:
        boxes: `[batch, boxes, 4] float32` in any unit, or `[batch, boxes, 5]` if rotated; only read.
        scores: `[batch, boxes, classes] float32`; only read.
        box_format: `xyxy` (two corners), `cxcywh` (center, width, height), or `rotated` (these and an angle in radians
            that turns the x axis towards the y axis: clockwise in an image).
        score_threshold: A score must be above it.
        iou_threshold: 0 to 1. A box is dropped if its intersection over union with a better one is above it.
        max_detections: How many to keep of an image at most, 1 to 65536.
        class_agnostic: Whether a better box of another class drops a box as well.
        multi_label: Whether a box may be found once for each of its classes, or for its best class alone.

    Returns:
        New arrays.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    check_strided(boxes, "boxes", ("batch", "boxes", "numbers"), np.float32)
    count = as_integer(max_detections, "max_detections")
    if not 1 <= count <= _native.MAXIMUM_DETECTIONS:
        raise ValueError(f"max_detections must be between 1 and {_native.MAXIMUM_DETECTIONS}, got {count}")
    shape = (len(boxes), count)
    detections = Detections(
        np.empty(shape, np.int32),
        np.empty(shape, np.int32),
        np.empty(shape, np.float32),
        np.empty(len(boxes), np.int32),
    )
    non_max_suppression_into(
        detections,
        boxes,
        scores,
        box_format=box_format,
        score_threshold=score_threshold,
        iou_threshold=iou_threshold,
        class_agnostic=class_agnostic,
        multi_label=multi_label,
    )
    return detections


def non_max_suppression_into(
    destination: Detections,
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    *,
    box_format: BoxFormat,
    score_threshold: float,
    iou_threshold: float,
    class_agnostic: bool = False,
    multi_label: bool = False,
) -> None:
    """Does what `non_max_suppression` does, into arrays of the caller's.

    Runs on the calling thread without the GIL, in a time that is bounded by the scores above the threshold times
    max_detections. Scratch memory: up to 24 bytes for each score above the threshold, 200 for each of max_detections,
    one for each box. Nothing is written if an argument is wrong.

    Args:
        destination: See `Detections`; C-contiguous, writable, apart from each other and from the other arrays. The
            width of its arrays is max_detections.
        boxes: See `non_max_suppression`.
        scores: See `non_max_suppression`.
        box_format: See `non_max_suppression`.
        score_threshold: See `non_max_suppression`.
        iou_threshold: See `non_max_suppression`.
        class_agnostic: See `non_max_suppression`.
        multi_label: See `non_max_suppression`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    if not isinstance(box_format, str):
        raise TypeError(f"box_format must be a string, got {box_format!r}")
    numbers = 5 if box_format == "rotated" else 4
    check_strided(boxes, "boxes", ("batch", "boxes", numbers), np.float32)
    check_strided(scores, "scores", (boxes.shape[0], boxes.shape[1], "classes"), np.float32)
    try:
        indices, classes, kept_scores, counts = destination
    except (TypeError, ValueError):
        raise TypeError(f"destination must be Detections, got {destination!r}") from None
    check_output(indices, "destination.indices", (len(boxes), "max_detections"), np.int32)
    check_output(classes, "destination.classes", indices.shape, np.int32)
    check_output(kept_scores, "destination.scores", indices.shape, np.float32)
    check_output(counts, "destination.counts", (len(boxes),), np.int32)
    for value, name in ((class_agnostic, "class_agnostic"), (multi_label, "multi_label")):
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, got {value!r}")
    _native.non_max_suppression_into(
        indices,
        classes,
        kept_scores,
        counts,
        boxes,
        scores,
        box_format,
        as_number(score_threshold, "score_threshold"),
        as_number(iou_threshold, "iou_threshold"),
        class_agnostic,
        multi_label,
    )
