"""non_max_suppression on a GPU, against the CPU form, which other tests hold against other libraries."""

from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from support.cuda_memory import DeviceArray

from tundish_kernels import BoxFormat, Detections, cuda, non_max_suppression

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not cuda.available(), reason=cuda.reason() or "")]

Floats = NDArray[np.float32]
OPTIONS: dict[str, Any] = {"box_format": "xyxy", "score_threshold": 0.25, "iou_threshold": 0.5}


class Destination:
    """The four outputs in the GPU's memory, with nothing in them that belongs there."""

    def __init__(self, batch: int, most: int) -> None:
        shape = (batch, most)
        self.arrays = (
            DeviceArray(np.full(shape, 7, np.int32)),
            DeviceArray(np.full(shape, 7, np.int32)),
            DeviceArray(np.full(shape, 7, np.float32)),
            DeviceArray(np.full(batch, 7, np.int32)),
        )

    def get(self) -> Detections:
        indices, classes, scores, counts = (array.get() for array in self.arrays)
        return Detections(indices, classes, scores, counts)


def require_equal(found: Detections, expected: Detections) -> None:
    for array, wanted in zip(found, expected, strict=True):
        assert array.tobytes() == wanted.tobytes()


def random_boxes(batch: int, boxes: int, numbers: int) -> Floats:
    return np.random.default_rng(boxes).uniform(0, 8, (batch, boxes, numbers)).astype(np.float32)


def random_scores(*shape: int) -> Floats:
    scores = np.random.default_rng(sum(shape)).uniform(0, 1, shape).astype(np.float32)
    scores[:, ::3] = np.round(scores[:, ::3], 1)  # equal scores
    return scores


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("class_agnostic", [False, True])
@pytest.mark.parametrize("box_format", get_args(BoxFormat))
@pytest.mark.parametrize(("batch", "boxes", "classes", "most"), [(1, 1, 1, 1), (3, 70, 3, 150), (2, 33, 40, 20)])
def test_detections_are_those_of_the_cpu_form(
    workspace: cuda.Workspace,
    batch: int,
    boxes: int,
    classes: int,
    most: int,
    box_format: BoxFormat,
    class_agnostic: bool,
    multi_label: bool,
) -> None:
    box_array = random_boxes(batch, boxes, 5 if box_format == "rotated" else 4)
    scores = random_scores(batch, boxes, classes)
    options: dict[str, Any] = {
        "box_format": box_format,
        "score_threshold": 0.3,
        "iou_threshold": 0.4,
        "class_agnostic": class_agnostic,
        "multi_label": multi_label,
    }
    destination = Destination(batch, most)
    cuda.non_max_suppression_into(
        destination.arrays, DeviceArray(box_array), DeviceArray(scores), **options, workspace=workspace, stream=0
    )
    require_equal(destination.get(), non_max_suppression(box_array, scores, **options, max_detections=most))


def test_output_of_a_yolo_is_read_in_place(workspace: cuda.Workspace) -> None:
    batch, boxes, classes = 2, 90, 6
    output = np.concatenate(
        [random_boxes(batch, boxes, 4).swapaxes(1, 2), random_scores(batch, boxes, classes).swapaxes(1, 2)], axis=1
    )
    memory = DeviceArray(output)
    row = 4 * boxes
    strides = ((4 + classes) * row, 4, row)
    destination = Destination(batch, 30)
    options: dict[str, Any] = {**OPTIONS, "box_format": "cxcywh"}
    cuda.non_max_suppression_into(
        destination.arrays,
        memory.view(0, (batch, boxes, 4), strides),
        memory.view(4 * row, (batch, boxes, classes), strides),
        **options,
        workspace=workspace,
        stream=0,
    )
    expected = non_max_suppression(
        output[:, :4].swapaxes(1, 2), output[:, 4:].swapaxes(1, 2), **options, max_detections=30
    )
    require_equal(destination.get(), expected)


def test_a_workspace_that_was_used_before_serves_again(workspace: cuda.Workspace) -> None:
    for boxes in (40, 70, 10):
        box_array, scores = random_boxes(1, boxes, 4), random_scores(1, boxes, 3)
        destination = Destination(1, 20)
        cuda.non_max_suppression_into(
            destination.arrays, DeviceArray(box_array), DeviceArray(scores), **OPTIONS, workspace=workspace, stream=0
        )
        require_equal(destination.get(), non_max_suppression(box_array, scores, **OPTIONS, max_detections=20))


def test_workspace_grows_with_the_numbers() -> None:
    def size(*numbers: int, form: BoxFormat = "xyxy", most: int = 300, multi_label: bool = False) -> int:
        return cuda.non_max_suppression_workspace_bytes(
            *numbers, box_format=form, max_detections=most, multi_label=multi_label
        )

    assert size(1, 8400, 80) == 8 + 8 * 8400 + 24 * 300
    assert size(3, 8400, 80) == 16 + 3 * (8 * 8400 + 24 * 300)
    assert size(1, 8400, 80, form="rotated") == 8 + 8 * 8400 + 104 * 300
    assert size(1, 8400, 80, multi_label=True) == 8 + 8 * 8400 * 80 + 24 * 300


def test_workspace_of_the_exact_size_is_enough_and_a_smaller_one_refused(device: cuda.Device) -> None:
    scores = random_scores(2, 30, 3)
    needed = cuda.non_max_suppression_workspace_bytes(2, 30, 3, box_format="xyxy", max_detections=9)
    destination = Destination(2, 9)
    arrays = (destination.arrays, DeviceArray(random_boxes(2, 30, 4)), DeviceArray(scores))
    small, exact = cuda.Workspace(device, needed - 1), cuda.Workspace(device, needed)
    with pytest.raises(ValueError, match=f"workspace must have {needed} bytes for these boxes, got {needed - 1}"):
        cuda.non_max_suppression_into(*arrays, **OPTIONS, workspace=small, stream=0)
    assert np.all(destination.get().counts == 7)
    cuda.non_max_suppression_into(*arrays, **OPTIONS, workspace=exact, stream=0)
    assert np.all(destination.get().counts <= 9)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"batch": 0}, ValueError, "batch must be between 1 and 65535, got 0"),
        ({"boxes": 2**24 + 1}, ValueError, "boxes must be between 1 and 16777216, got 16777217"),
        ({"classes": "3"}, TypeError, "classes must be an integer, got '3'"),
        ({"boxes": 2**20, "classes": 2**12}, ValueError, r"boxes times classes must be below 2\^32, got 4294967296"),
        ({"max_detections": 65537}, ValueError, "max_detections must be between 1 and 65536, got 65537"),
        ({"box_format": "polygon"}, ValueError, "box_format must be 'xyxy', 'cxcywh' or 'rotated', got 'polygon'"),
        ({"multi_label": 1}, TypeError, "multi_label must be True or False, got 1"),
    ],
)
def test_wrong_numbers_of_a_workspace(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {"batch": 1, "boxes": 9, "classes": 2, "box_format": "xyxy", "max_detections": 5}
    with pytest.raises(error, match=message):
        cuda.non_max_suppression_workspace_bytes(**{**arguments, **changes})


BOXES_ARE = r"boxes must be \[batch, boxes, 4\] float32 in a GPU's memory"
SCORES_ARE = r"scores must be \[2, 9, classes\] float32 in a GPU's memory"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"boxes": random_boxes(2, 9, 4)}, TypeError, f"{BOXES_ARE} with __cuda_array_interface__, got ndarray"),
        ({"boxes": lambda: DeviceArray(random_boxes(2, 9, 5))}, ValueError, rf"{BOXES_ARE}, got \(2, 9, 5\) float32"),
        ({"scores": lambda: DeviceArray(random_scores(2, 8, 3))}, ValueError, rf"{SCORES_ARE}, got \(2, 8, 3\)"),
        ({"scores": lambda: DeviceArray(np.ones((2, 9, 3)))}, ValueError, rf"{SCORES_ARE}, got \(2, 9, 3\) float64"),
        (
            {"scores": lambda: DeviceArray(random_scores(2, 9, 30)).view(0, (2, 9, 3), (1080, 120, 8))},
            ValueError,
            "scores must have adjacent boxes or adjacent classes, got strides of 30 and 2",
        ),
        (
            {"scores": lambda: DeviceArray(random_scores(2, 9, 30)).view(0, (2, 9, 3), (1080, 120, 6))},
            ValueError,
            r"scores must be aligned to their elements of 4 bytes, got strides \(1080, 120, 6\)",
        ),
        (
            {"scores": lambda: DeviceArray(random_scores(2, 9, 30)).view(0, (2, 9, 0), (1080, 120, 4))},
            ValueError,
            rf"{SCORES_ARE} and not empty, got \(2, 9, 0\)",
        ),
        ({"box_format": "polygon"}, ValueError, "box_format must be 'xyxy', 'cxcywh' or 'rotated', got 'polygon'"),
        ({"box_format": 4}, TypeError, "box_format must be a string, got 4"),
        ({"score_threshold": float("nan")}, ValueError, "score_threshold must be a number, got nan"),
        ({"iou_threshold": 1.5}, ValueError, "iou_threshold must be between 0 and 1, got 1.5"),
        ({"class_agnostic": None}, TypeError, "class_agnostic must be True or False, got None"),
        ({"multi_label": 0}, TypeError, "multi_label must be True or False, got 0"),
        ({"workspace": None}, TypeError, "workspace must be a Workspace, got NoneType"),
        ({"stream": -1}, ValueError, "stream must be the number of a CUstream, got -1"),
        ({"destination": 3}, TypeError, r"destination must be \(indices, classes, scores, counts\), got 3"),
    ],
)
def test_wrong_arguments(
    workspace: cuda.Workspace, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    destination = Destination(2, 5)
    arguments: dict[str, Any] = {
        "destination": destination.arrays,
        "boxes": DeviceArray(random_boxes(2, 9, 4)),
        "scores": DeviceArray(random_scores(2, 9, 3)),
        **OPTIONS,
        "workspace": workspace,
        "stream": 0,
        **{name: value() if callable(value) else value for name, value in changes.items()},
    }
    with pytest.raises(error, match=message):
        cuda.non_max_suppression_into(**arguments)
    assert np.all(destination.get().counts == 7)


@pytest.mark.parametrize(
    ("position", "changed", "message"),
    [
        (0, {"shape": (2, 5), "typestr": "<i8"}, r"destination.indices must be \[2, max_detections\] int32"),
        (1, {"shape": (2, 4)}, r"destination.classes must be \[2, 5\] int32 in a GPU's memory, got \(2, 4\)"),
        (2, {"strides": (40, 8)}, r"destination.scores must be .* in aligned C order, got strides \(40, 8\)"),
        (3, {"shape": (1,)}, r"destination.counts must be \[2\] int32 in a GPU's memory, got \(1,\) int32"),
    ],
)
def test_wrong_destination(workspace: cuda.Workspace, position: int, changed: dict[str, Any], message: str) -> None:
    destination = Destination(2, 5)
    outputs: list[Any] = list(destination.arrays)
    outputs[position] = destination.arrays[position].changed(**changed)
    boxes, scores = DeviceArray(random_boxes(2, 9, 4)), DeviceArray(random_scores(2, 9, 3))
    first, second, third, fourth = outputs
    with pytest.raises(ValueError, match=message):
        cuda.non_max_suppression_into(
            (first, second, third, fourth), boxes, scores, **OPTIONS, workspace=workspace, stream=0
        )
    assert np.all(destination.get().counts == 7)


def test_outputs_may_not_be_read_only_shared_or_on_the_host(workspace: cuda.Workspace) -> None:
    destination = Destination(2, 5)
    indices, classes, scores, counts = destination.arrays
    inputs = (DeviceArray(random_boxes(2, 9, 4)), DeviceArray(random_scores(2, 9, 3)))
    rest: dict[str, Any] = {**OPTIONS, "workspace": workspace, "stream": 0}
    address = counts.__cuda_array_interface__["data"][0]
    with pytest.raises(ValueError, match=r"destination.counts must be writable, got a read-only array"):
        read_only = counts.changed(data=(address, True))
        cuda.non_max_suppression_into((indices, classes, scores, read_only), *inputs, **rest)
    with pytest.raises(ValueError, match="an output must not overlap another, got shared memory"):
        cuda.non_max_suppression_into((indices, indices, scores, counts), *inputs, **rest)
    with pytest.raises(ValueError, match="an output must not overlap scores, got shared memory"):
        inside = inputs[1].view(0, (2, 5), (20, 4))
        cuda.non_max_suppression_into((indices, classes, inside, counts), *inputs, **rest)
    host = np.zeros(2, np.int32)
    with pytest.raises(ValueError, match="counts must be in the memory of GPU 0, got memory of the host"):
        on_host = counts.changed(data=(host.ctypes.data, False))
        cuda.non_max_suppression_into((indices, classes, scores, on_host), *inputs, **rest)
    assert np.all(destination.get().indices == 7)
