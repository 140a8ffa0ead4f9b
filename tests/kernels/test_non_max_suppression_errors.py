"""Every argument that non_max_suppression refuses, with the sentence that it says; nothing is written."""

from typing import Any

import numpy as np
import pytest

from tundish_kernels import Detections, non_max_suppression, non_max_suppression_into

BOXES = np.zeros((2, 6, 4), np.float32)
SCORES = np.zeros((2, 6, 3), np.float32)
BOXES_ARE = "boxes must be [batch, boxes, 4] float32"
SCORES_ARE = "scores must be [2, 6, classes] float32"


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ({"boxes": None}, TypeError, f"{BOXES_ARE}, got NoneType"),
        ({"boxes": BOXES[0]}, ValueError, f"{BOXES_ARE}, got (6, 4) float32"),
        ({"boxes": BOXES.astype(np.float64)}, ValueError, f"{BOXES_ARE}, got (2, 6, 4) float64"),
        ({"boxes": BOXES[:, :, :3]}, ValueError, f"{BOXES_ARE}, got (2, 6, 3) float32"),
        ({"boxes": BOXES[:, :0]}, ValueError, f"{BOXES_ARE} and not empty, got (2, 0, 4)"),
        (
            {"box_format": "rotated"},
            ValueError,
            "boxes must be [batch, boxes, 5] float32, got (2, 6, 4) float32",
        ),
        (
            {"boxes": np.zeros(2 * 6 * 4 * 4 + 1, np.uint8)[1:].view(np.float32).reshape(2, 6, 4)},
            ValueError,
            f"{BOXES_ARE} and aligned, got strides (96, 16, 4)",
        ),
        ({"scores": [1]}, TypeError, f"{SCORES_ARE}, got list"),
        ({"scores": SCORES[:, :5]}, ValueError, f"{SCORES_ARE}, got (2, 5, 3) float32"),
        (
            {"scores": np.zeros((2, 6, 6), np.float32)[..., ::2]},
            ValueError,
            "scores must have adjacent boxes or adjacent classes, got strides of 6 and 2",
        ),
        ({"box_format": None}, TypeError, "box_format must be a string, got None"),
        ({"box_format": "xywh"}, ValueError, "box_format must be 'xyxy', 'cxcywh' or 'rotated', got 'xywh'"),
        ({"score_threshold": "a"}, TypeError, "score_threshold must be a number, got 'a'"),
        ({"score_threshold": np.nan}, ValueError, "score_threshold must be a number, got nan"),
        ({"iou_threshold": np.nan}, ValueError, "iou_threshold must be between 0 and 1, got nan"),
        ({"iou_threshold": 1.5}, ValueError, "iou_threshold must be between 0 and 1, got 1.5"),
        ({"iou_threshold": -0.5}, ValueError, "iou_threshold must be between 0 and 1, got -0.5"),
        ({"class_agnostic": 1}, TypeError, "class_agnostic must be True or False, got 1"),
        ({"multi_label": None}, TypeError, "multi_label must be True or False, got None"),
    ],
)
def test_wrong_argument(changed: dict[str, Any], error: type[Exception], sentence: str) -> None:
    arrays: list[Any] = [
        *(np.full((2, 5), 42, dtype) for dtype in (np.int32, np.int32, np.float32)),
        np.full(2, 42, np.int32),
    ]
    destination = Detections._make(arrays)
    arguments: dict[str, Any] = {
        "boxes": BOXES,
        "scores": SCORES,
        "box_format": "xyxy",
        "score_threshold": 0.5,
        "iou_threshold": 0.5,
    } | changed
    with pytest.raises(error) as raised:
        non_max_suppression_into(destination, **arguments)
    assert str(raised.value) == sentence
    assert all(np.all(array == 42) for array in destination)


@pytest.mark.parametrize(
    ("most", "error", "sentence"),
    [
        (0, ValueError, "max_detections must be between 1 and 65536, got 0"),
        (65537, ValueError, "max_detections must be between 1 and 65536, got 65537"),
        (1.5, TypeError, "max_detections must be an integer, got 1.5"),
    ],
)
def test_wrong_maximum(most: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        non_max_suppression(
            BOXES, SCORES, box_format="xyxy", score_threshold=0.5, iou_threshold=0.5, max_detections=most
        )
    assert str(raised.value) == sentence


def destination(**changed: Any) -> Detections:
    valid = Detections(
        np.zeros((2, 5), np.int32), np.zeros((2, 5), np.int32), np.zeros((2, 5), np.float32), np.zeros(2, np.int32)
    )
    return valid._replace(**changed)


def read_only() -> Any:
    array = np.zeros((2, 5), np.int32)
    array.flags.writeable = False
    return array


SHARED = np.zeros((2, 5), np.int32)


@pytest.mark.parametrize(
    ("into", "error", "sentence"),
    [
        (None, TypeError, "destination must be Detections, got None"),
        (
            destination(indices=np.zeros((2, 5), np.int64)),
            ValueError,
            "destination.indices must be [2, max_detections] int32, got (2, 5) int64",
        ),
        (
            destination(indices=read_only()),
            ValueError,
            "destination.indices must be writable, got a read-only array",
        ),
        (
            destination(classes=np.zeros((2, 4), np.int32)),
            ValueError,
            "destination.classes must be [2, 5] int32, got (2, 4) int32",
        ),
        (
            destination(scores=np.zeros((2, 10), np.float32)[:, ::2]),
            ValueError,
            "destination.scores must be [2, 5] float32 in aligned C order, got strides (40, 8)",
        ),
        (
            destination(counts=np.zeros(3, np.int32)),
            ValueError,
            "destination.counts must be [2] int32, got (3,) int32",
        ),
        (
            destination(indices=SHARED, classes=SHARED),
            ValueError,
            "an output must not overlap another, got shared memory",
        ),
        (
            destination(scores=SCORES.reshape(-1)[-10:].reshape(2, 5)),
            ValueError,
            "an output must not overlap scores, got shared memory",
        ),
    ],
)
def test_wrong_destination(into: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as raised:
        non_max_suppression_into(into, BOXES, SCORES, box_format="xyxy", score_threshold=0.5, iou_threshold=0.5)
    assert str(raised.value) == sentence
