"""ONNX detectors that cannot be read, or need a word more: refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.detector_layouts import Outputs, columns, darknet_maps, ssd, yolo5, yolo8, yolox
from support.onnx_detectors import Truth, truth, write_detector
from support.onnx_networks import write_classifier

from tundish.manifest import LetterboxResize
from tundish_exporters import DetectorHints, ExportError, OnnxHints
from tundish_exporters.sources.onnx_file import load_onnx

LABELS = ("crack", "scratch", "dent")
GREY_BOX = LetterboxResize(height=8, width=6, padding=114)

Change = tuple[Callable[[Truth], Outputs], int, dict[str, Any], dict[str, Any], str]
REFUSED: dict[str, Change] = {
    "too few labels": (yolo8, 1, {"labels": ("crack",)}, {}, r"gives 'output0' \[1, 7, 84\], in which there is no"),
    "anchors of nothing": (darknet_maps, 2, {}, {}, r"2 anchors a cell, 12 widths and heights .* none are known"),
    "anchors too few": (darknet_maps, 3, {}, {"anchors": (4.0, 5.0)}, r"18 widths .* got 2 of them: pass --anchors"),
    "a background that is not there": (yolo8, 1, {}, {"background": "first"}, "has as many numbers as there are"),
    "a background that is": (ssd, 1, {}, {"background": "none"}, "has a number more than there are labels"),
    "boxes of no grid": (
        lambda given: {name: rows[:, :-3] for name, rows in yolox(given).items()},
        1,
        {},
        {"box_form": "offsets"},
        "no candidates of grids over 64 by 64 pixels; export it with its boxes decoded",
    ),
    "chosen objects of another form": (columns, 1, {}, {"box_form": "centre"}, "whose boxes cannot be centre"),
    "candidates either way": (
        lambda given: {"output0": yolo8(given)["output0"][:, :, :7]},
        1,
        {},
        {},
        r"shape \[1, 7, 7\], in which candidates may lie either way",
    ),
    "a letterbox of another size": (yolo8, 1, {"resize": "letterbox:32x32"}, {}, "not 32 by 32; leave --size out"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    outputs, each, said, of_detector, message = REFUSED[name]
    rows = outputs(truth(5, 3, each))
    path = write_detector(tmp_path / "m.onnx", {key: (value, value) for key, value in rows.items()})
    hints = OnnxHints(**{"labels": LABELS, **said}, detector=DetectorHints(**of_detector))
    with pytest.raises(ExportError, match=message) as raised:
        load_onnx(path, "object-detection", hints)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("object-detection", "for object-detection tundish reads those of detect, obb, pose, segment"),
        ("image-segmentation", "for image-segmentation tundish reads those of segment"),
    ],
)
def test_models_for_other_tasks_are_refused(task: Any, message: str, tmp_path: Path) -> None:
    rows = yolo5(truth(5, 3))
    metadata = {"names": str(dict(enumerate(LABELS))), "stride": "32", "task": "classify"}
    path = write_detector(tmp_path / "m.onnx", {key: (value, value) for key, value in rows.items()}, metadata=metadata)
    with pytest.raises(ExportError, match=f"a model for the task 'classify' by its metadata; {message}"):
        load_onnx(path, task, OnnxHints())


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"threshold": 1.0}, "A threshold is a score from 0 to below 1, got 1.0"),
        ({"iou": 1.5}, "An intersection over union is from 0 to 1, got 1.5"),
        ({"nms": "both"}, "There is no nms 'both'; there are inside, outside"),
        ({"anchors": (1.0, 2.0, 3.0)}, "Anchors are widths and heights in pixels, got 3 numbers"),
    ],
)
def test_hints_that_cannot_be_are_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        DetectorHints(**said)


def test_the_padding_belongs_to_a_letterbox() -> None:
    with pytest.raises(ExportError, match="The padding 0 is of a letterbox"):
        OnnxHints(padding=0)
    assert OnnxHints(padding=0, resize="letterbox-top-left").image_rule("nchw", (8, 6), GREY_BOX).padding == 0


def test_a_classifier_has_no_anchors(tmp_path: Path) -> None:
    path = write_classifier(tmp_path / "m.onnx", 3, shape=["n", 3, 32, 32])
    hints = OnnxHints(labels=LABELS, detector=DetectorHints(anchors=(1.0, 2.0), iou=0.5))
    with pytest.raises(ExportError, match="to which no --iou, --anchors belong; leave them out"):
        load_onnx(path, "image-classification", hints)
