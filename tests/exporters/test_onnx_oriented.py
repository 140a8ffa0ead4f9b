"""Detectors of oriented boxes in the layouts of YOLO: what their bundles find is what was written into them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.detector_layouts import (
    IOU,
    MOST,
    Outputs,
    columns,
    oriented,
    oriented_columns,
    oriented_transposed,
    yolo5,
    yolo8,
    yolo8_with_masks,
)
from support.exported_objects import IMAGES, found_by
from support.onnx_detectors import Place, Truth, naive_objects, out_of_letterbox, out_of_stretch, truth, write_detector
from support.oriented_boxes import corners_of, is_clear, rotated_overlap

from tundish.results import ObjectDetection
from tundish_exporters import DetectorHints, ExportError, OnnxHints
from tundish_exporters.sources.onnx_file import load_onnx

LABELS = ("plane", "ship", "harbor")
THRESHOLD = 0.25
SEEDS = (1, 2)
OBB = {"names": str(dict(enumerate(LABELS))), "stride": "32", "task": "obb", "imgsz": "[64, 64]"}


@dataclass(frozen=True)
class Case:
    """A layout, and what is said of it."""

    outputs: Callable[[Truth], Outputs]
    metadata: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, Any] = field(default_factory=dict)
    resize: str | None = None
    place: Place = out_of_letterbox


CASES = {
    "by the metadata": Case(oriented, OBB),
    "by the angles": Case(oriented),
    "by the user": Case(oriented, said={"box_form": "oriented"}),
    "transposed": Case(oriented_transposed),
    "of images that are stretched": Case(oriented, OBB, resize="stretch", place=out_of_stretch),
    "chosen by the network": Case(oriented_columns, OBB),
    "chosen by the network, by the numbers": Case(oriented_columns),
    "chosen by the network, by the user": Case(oriented_columns, said={"nms": "inside", "box_form": "oriented"}),
}


def expected_objects(case: Case, given: Truth) -> list[tuple[int, float, list[float]]]:
    kept = naive_objects(given.oriented, given.classes, threshold=THRESHOLD, iou=IOU, overlapping=rotated_overlap)
    return kept[:MOST] if case.outputs is oriented_columns else kept


@pytest.mark.parametrize("seed", SEEDS)
def test_no_overlap_is_nearly_the_threshold(seed: int) -> None:
    given = truth(seed, len(LABELS))
    assert is_clear(given.oriented[given.classes.max(axis=1) > 0.05].tolist(), IOU)


@pytest.mark.parametrize("name", CASES)
def test_what_a_layout_says_is_found(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    red, blue = (truth(seed, len(LABELS)) for seed in SEEDS)
    first, second = case.outputs(red), case.outputs(blue)
    written = {key: (first[key], second[key]) for key in first}
    path = write_detector(tmp_path / "m.onnx", written, metadata=case.metadata)
    hints = OnnxHints(labels=None if case.metadata else LABELS, resize=case.resize, detector=DetectorHints(**case.said))
    results, spec = found_by(path, hints, tmp_path)
    assert spec.takes_batches
    for (color, (width, height)), actual in zip(IMAGES, results, strict=True):
        assert isinstance(actual, ObjectDetection)
        expected = expected_objects(case, red if color == "red" else blue)
        assert len(expected) > 5
        assert [found.label for found in actual.objects] == [LABELS[label] for label, _, _ in expected]
        np.testing.assert_allclose([found.score for found in actual.objects], [each[1] for each in expected], atol=1e-5)
        for found, (_, _, box) in zip(actual.objects, expected, strict=True):
            corners = [case.place([x, y, x, y], width, height)[:2] for x, y in corners_of(box)]
            np.testing.assert_allclose(np.array(found.corners), np.array(corners), atol=0.01)


@pytest.mark.parametrize(
    ("outputs", "kind"),
    [(yolo5, "boxes"), (yolo8, "boxes"), (columns, "listed"), (yolo8_with_masks, "boxes")],
)
def test_other_layouts_are_not_taken_for_oriented(
    outputs: Callable[[Truth], Outputs], kind: str, tmp_path: Path
) -> None:
    rows = outputs(truth(5, len(LABELS)))
    metadata = {**OBB, "task": "segment"} if outputs is yolo8_with_masks else {}
    path = write_detector(tmp_path / "m.onnx", {key: (value, value) for key, value in rows.items()}, metadata=metadata)
    rule: Any = load_onnx(path, "object-detection", OnnxHints(labels=LABELS)).postprocess
    assert (rule.kind, rule.box_form == "oriented") == (kind, False)


def test_the_user_may_read_them_as_if_they_were_not_turned(tmp_path: Path) -> None:
    rows = oriented(truth(5, len(LABELS)))
    path = write_detector(tmp_path / "m.onnx", {key: (value, value) for key, value in rows.items()}, metadata=OBB)
    hints = OnnxHints(detector=DetectorHints(box_form="centre"))
    assert load_onnx(path, "object-detection", hints).postprocess.box_form == "centre"  # type: ignore[union-attr]


def test_how_they_are_read_is_said(tmp_path: Path) -> None:
    for outputs, how in (
        (oriented, "candidates with oriented boxes in pixels: 'output0' [1, 8, 84]."),
        (
            oriented_columns,
            "objects that the network chose, with oriented boxes in pixels, classes from 0: 'output0' [1, 30, 7].",
        ),
    ):
        rows = outputs(truth(5, len(LABELS)))
        path = write_detector(tmp_path / "m.onnx", {key: (value, value) for key, value in rows.items()}, metadata=OBB)
        said = load_onnx(path, "object-detection", OnnxHints()).warnings
        assert said == (f"The network's outputs are read as {how}",)


@pytest.mark.parametrize(
    ("labels", "said", "message"),
    [
        (
            LABELS[:2],
            {"box_form": "oriented"},
            r"gives 'output0' \[1, 8, 84\], in which there is no output for oriented boxes of 2 labels, such as "
            r"\[batch, 7, candidates\] or \[batch, objects, 7\]",
        ),
        (LABELS, {"box_form": "oriented", "box_unit": "shares"}, "Oriented boxes are read in pixels"),
    ],
)
def test_what_cannot_be_read_is_refused(
    labels: tuple[str, ...], said: dict[str, Any], message: str, tmp_path: Path
) -> None:
    rows = oriented(truth(5, len(LABELS)))
    path = write_detector(tmp_path / "m.onnx", {key: (value, value) for key, value in rows.items()})
    with pytest.raises(ExportError, match=message) as raised:
        load_onnx(path, "object-detection", OnnxHints(labels=labels, detector=DetectorHints(**said)))
    assert "\n" not in str(raised.value)
