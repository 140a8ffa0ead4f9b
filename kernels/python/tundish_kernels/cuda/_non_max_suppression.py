"""non_max_suppression on an NVIDIA GPU."""

import numpy as np

from tundish_kernels import _native
from tundish_kernels._arguments import as_number
from tundish_kernels._non_max_suppression import BoxFormat
from tundish_kernels.cuda._arguments import read_between, read_boolean, read_stream, read_string
from tundish_kernels.cuda._array import CudaArray, read_output, read_strided_array
from tundish_kernels.cuda._device import Workspace, read_workspace

_MOST_IMAGES = 65535


def non_max_suppression_workspace_bytes(
    batch: int, boxes: int, classes: int, *, box_format: BoxFormat, max_detections: int, multi_label: bool = False
) -> int:
    """The size of the workspace with which `non_max_suppression_into` takes such arrays.

    For each image 8 bytes for each box, or for each pair of a box and a class if `multi_label`; and 24 bytes for each
    of max_detections, or 104 of rotated boxes. It never falls as a number grows.

    Args:
        batch: Images, 1 to 65535.
        boxes: Boxes of an image, 1 to 2^24.
        classes: 1 to 65536; boxes times classes below 2^32.
        box_format: See `tundish_kernels.non_max_suppression`.
        max_detections: See `tundish_kernels.non_max_suppression`.
        multi_label: See `tundish_kernels.non_max_suppression`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A number is outside its range, or the format is unknown.
    """
    size = (
        read_between(batch, "batch", 1, _MOST_IMAGES),
        read_between(boxes, "boxes", 1, _native.MAXIMUM_BOXES),
        read_between(classes, "classes", 1, _native.MAXIMUM_CLASSES),
        read_between(max_detections, "max_detections", 1, _native.MAXIMUM_DETECTIONS),
    )
    if size[1] * size[2] >= 2**32:
        raise ValueError(f"boxes times classes must be below 2^32, got {size[1] * size[2]}")
    return _native.cuda_non_max_suppression_workspace_bytes(
        size, read_string(box_format, "box_format"), read_boolean(multi_label, "multi_label")
    )


def non_max_suppression_into(
    destination: tuple[object, object, object, object],
    boxes: object,
    scores: object,
    *,
    box_format: BoxFormat,
    score_threshold: float,
    iou_threshold: float,
    class_agnostic: bool = False,
    multi_label: bool = False,
    workspace: Workspace,
    stream: int,
) -> None:
    """Does what `tundish_kernels.non_max_suppression_into` does, on the GPU of the workspace.

    Two launches on `stream`, the second with one block for each image; no memory is allocated, and nothing is waited
    for. Nothing is written if an argument is wrong.

    Args:
        destination: Indices and classes, `[batch, max_detections] int32`, scores, `[batch, max_detections] float32`,
            and counts, `[batch] int32`, in the GPU's memory; C-contiguous, apart from each other and from the other
            arrays.
        boxes: `[batch, boxes, 4]` or `[batch, boxes, 5]` float32 in the GPU's memory, of any strides.
        scores: `[batch, boxes, classes] float32` in the GPU's memory, with adjacent boxes or adjacent classes; 65535
            images at most.
        box_format: See `tundish_kernels.non_max_suppression`.
        score_threshold: See `tundish_kernels.non_max_suppression`.
        iou_threshold: See `tundish_kernels.non_max_suppression`.
        class_agnostic: See `tundish_kernels.non_max_suppression`.
        multi_label: See `tundish_kernels.non_max_suppression`.
        workspace: At least `non_max_suppression_workspace_bytes`.
        stream: The CUstream's number.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape, dtype or place in memory is not as said above.
        RuntimeError: The driver refused; the message says what.
    """
    form = read_string(box_format, "box_format")
    box_array = read_strided_array(boxes, "boxes", ("batch", "boxes", 5 if form == "rotated" else 4), np.float32)
    batch, count, _ = box_array.shape
    score_array = read_strided_array(scores, "scores", (batch, count, "classes"), np.float32)
    try:
        indices, classes, kept_scores, counts = destination
    except (TypeError, ValueError):
        raise TypeError(f"destination must be (indices, classes, scores, counts), got {destination!r}") from None
    read_indices = read_output(indices, "destination.indices", (batch, "max_detections"), np.int32)
    read_classes = read_output(classes, "destination.classes", read_indices.shape, np.int32)
    read_scores = read_output(kept_scores, "destination.scores", read_indices.shape, np.float32)
    read_counts = read_output(counts, "destination.counts", (batch,), np.int32)
    _native.cuda_non_max_suppression_into(
        (read_indices.address, read_classes.address, read_scores.address, read_counts.address),
        read_indices.shape[1],
        _in_elements(box_array, "boxes"),
        _in_elements(score_array, "scores"),
        form,
        as_number(score_threshold, "score_threshold"),
        as_number(iou_threshold, "iou_threshold"),
        read_boolean(class_agnostic, "class_agnostic"),
        read_boolean(multi_label, "multi_label"),
        read_workspace(workspace),
        read_stream(stream),
    )


def _in_elements(array: CudaArray, name: str) -> tuple[int, tuple[int, int, int], tuple[int, int, int]]:
    """Address, shape and strides of three axes, these in elements."""
    size = array.dtype.itemsize
    if array.address % size != 0 or any(stride % size != 0 for stride in array.strides):
        raise ValueError(f"{name} must be aligned to their elements of {size} bytes, got strides {array.strides}")
    (a, b, c), (x, y, z) = array.shape, (stride // size for stride in array.strides)
    return array.address, (a, b, c), (x, y, z)
