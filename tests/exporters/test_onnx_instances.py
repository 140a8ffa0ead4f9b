"""YOLO's instances in the layouts of its exporters: the masks that their bundles find are those that were written."""

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
    chosen_instances,
    yolo5_instances,
    yolo8,
    yolo8_instances,
)
from support.exported_objects import IMAGES, found_by
from support.images import encoded
from support.onnx_detectors import (
    SIZE,
    Array,
    Place,
    Truth,
    naive_objects,
    out_of_letterbox,
    out_of_stretch,
    truth,
    write_detector,
)
from support.prototype_masks import expected_mask

from tundish.results import ImageSegmentation, Segment
from tundish_exporters import DetectorHints, ExportError, OnnxHints
from tundish_exporters.sources.onnx_file import load_onnx

LABELS = ("crack", "scratch", "dent")
THRESHOLD = 0.25
OF_YOLO = {"names": str(dict(enumerate(LABELS))), "stride": "32", "imgsz": "[64, 64]"}


@dataclass(frozen=True)
class Case:
    """A layout, and how the scores of its candidates are reckoned."""

    outputs: Callable[[Truth], Outputs]
    scores: Callable[[Truth], Array] = lambda given: given.classes
    each: int = 1
    metadata: Mapping[str, str] = field(default_factory=dict)
    resize: str | None = None
    place: Place = out_of_letterbox
    most: int = 300


CASES = {
    "v8": Case(yolo8_instances, metadata={**OF_YOLO, "task": "segment"}),
    "v8 without metadata": Case(yolo8_instances),
    "v8 of images that are stretched": Case(yolo8_instances, resize="stretch", place=out_of_stretch),
    "v5": Case(yolo5_instances, lambda given: given.classes * given.objectness, each=3, metadata=OF_YOLO),
    "chosen by the network": Case(chosen_instances, metadata={**OF_YOLO, "task": "segment"}, most=MOST),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_layout_says_is_found(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    red, blue = (truth(seed, len(LABELS), case.each) for seed in (1, 2))
    first, second = case.outputs(red), case.outputs(blue)
    written = {key: (first[key], second[key]) for key in first}
    path = write_detector(tmp_path / "m.onnx", written, metadata=case.metadata)
    hints = OnnxHints(labels=None if case.metadata else LABELS, resize=case.resize)
    results, spec = found_by(path, hints, tmp_path, "image-segmentation")
    assert spec.takes_batches
    for (color, (width, height)), actual in zip(IMAGES, results, strict=True):
        assert isinstance(actual, ImageSegmentation)
        assert_found(list(actual.segments), case, red if color == "red" else blue, (height, width))


def assert_found(left: list[Segment], case: Case, given: Truth, size: tuple[int, int]) -> None:
    # A box brings its candidate's number with it, which says whose weights are meant.
    tagged = np.concatenate([given.corners, np.arange(len(given.corners))[:, np.newaxis]], axis=1)
    seen = 0
    for label, score, (*box, number) in naive_objects(tagged, case.scores(given), threshold=THRESHOLD, iou=IOU)[
        : case.most
    ]:
        logits = np.tensordot(given.weights[int(number)], given.prototypes, 1)
        pixels, unsure = expected_mask(box, logits, lambda box: case.place(box, *size[::-1]), size, (SIZE, SIZE))
        if not pixels.any() and (not left or left[0].score != pytest.approx(score, abs=1e-5)):
            continue  # an object without a pixel is no segment
        segment = left.pop(0)
        assert segment.label == LABELS[label]
        assert segment.score == pytest.approx(score, abs=1e-5)
        assert segment.mask.size == size
        assert not ((segment.mask.to_array() != pixels) & ~unsure).any()
        seen += 1
    assert not left
    assert seen > 5


def test_the_same_file_is_read_for_its_boxes(tmp_path: Path) -> None:
    rows = yolo8_instances(truth(5, 3))
    rows["output0"] = np.pad(rows["output0"], ((0, 0), (0, 32 - 9), (0, 0)))
    rows["output1"] = np.pad(rows["output1"], ((0, 0), (0, 32 - 9), (0, 0), (0, 0)))
    metadata = {**OF_YOLO, "task": "segment"}
    path = write_detector(tmp_path / "m.onnx", {key: (value, value) for key, value in rows.items()}, metadata=metadata)
    image = encoded("red", size=(64, 64))
    objects = load_onnx(path, "object-detection", OnnxHints()).predict(image).objects  # type: ignore[union-attr]
    segments = load_onnx(path, "image-segmentation", OnnxHints()).predict(image).segments  # type: ignore[union-attr]
    scores = {segment.score for segment in segments}
    assert scores <= {found.score for found in objects}
    assert len(scores) > len(objects) / 2


def test_how_they_are_read_is_said(tmp_path: Path) -> None:
    rows = yolo8_instances(truth(5, 3))
    metadata = {**OF_YOLO, "task": "segment"}
    path = write_detector(tmp_path / "m.onnx", {key: (value, value) for key, value in rows.items()}, metadata=metadata)
    assert load_onnx(path, "image-segmentation", OnnxHints()).warnings == (
        "The network's outputs are read as candidates with boxes as centre in pixels, each with the weights of a "
        "mask's prototypes: 'output0' [1, 16, 84], 'output1' [1, 9, 16, 16].",
    )


def short_of_a_weight(given: Truth) -> Outputs:
    rows = yolo8_instances(given)
    return rows | {"output0": rows["output0"][:, :-1]}


def askew(given: Truth) -> Outputs:
    rows = yolo8_instances(given)
    return rows | {"output1": rows["output1"][..., :-3]}


@pytest.mark.parametrize(
    ("outputs", "said", "message"),
    [
        (
            short_of_a_weight,
            {},
            r"'output0' \[1, 15, 84\]; 'output1' \[1, 9, 16, 16\], in which there are no prototypes",
        ),
        (
            yolo8,
            {},
            r"gives 'output0' \[1, 7, 84\], in which there are no prototypes .* such as \[batch, 7 \+ prototypes",
        ),
        (
            askew,
            {},
            "prototypes 'output1' of 16 by 13 cells, which do not lie evenly over its input of 64 by 64 pixels",
        ),
        (
            yolo8_instances,
            {"box_form": "oriented"},
            "Masks are cut at boxes along the image's edges; leave the box form",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(
    outputs: Callable[[Truth], Outputs], said: dict[str, Any], message: str, tmp_path: Path
) -> None:
    rows = outputs(truth(5, 3))
    path = write_detector(tmp_path / "m.onnx", {key: (value, value) for key, value in rows.items()})
    with pytest.raises(ExportError, match=message) as raised:
        load_onnx(path, "image-segmentation", OnnxHints(labels=LABELS, detector=DetectorHints(**said)))
    assert "\n" not in str(raised.value)
