"""Detectors in the layouts of other exporters: what their bundles find is what was written into them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.detector_layouts import (
    IOU,
    MOST,
    Outputs,
    chosen,
    columns,
    columns_of_shares,
    darknet_maps,
    detr,
    flat_keras_maps,
    keras_maps,
    mmdetection,
    retinaface,
    scrfd,
    ssd,
    ssd_of_logits,
    tensorflow,
    tensorrt,
    torchvision,
    yolo4_of_pytorch,
    yolo5,
    yolo5_maps,
    yolo5_maps_after_sigmoid,
    yolo5_with_its_maps,
    yolo7,
    yolo8,
    yolo8_in_two,
    yolo8_transposed,
    yolo8_with_masks,
    yolox,
    yunet,
)
from support.exported_objects import IMAGES, Objects, found_by
from support.images import encoded
from support.onnx_detectors import (
    ANCHORS,
    FEWER,
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

from tundish.results import ObjectDetection
from tundish_exporters import DetectorHints, OnnxHints
from tundish_exporters.sources.onnx_file import load_onnx

LABELS = ("crack", "scratch", "dent")
THRESHOLD = 0.25


def products(given: Truth) -> Array:
    return given.classes * given.objectness


def of_ssd(given: Truth) -> Array:
    return np.asarray(ssd(given)["scores"][0, :, 1:])


@dataclass(frozen=True)
class Case:
    """A layout, what is said of it, and how what it finds is reckoned."""

    outputs: Callable[[Truth], Outputs]
    scores: Callable[[Truth], Array] = lambda given: given.classes
    each: int = 1
    labels: tuple[str, ...] = LABELS
    said: Mapping[str, Any] = field(default_factory=dict)
    place: Place = out_of_letterbox
    takes_batches: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)


OF_OURS = {"anchors": tuple(ANCHORS.flatten().tolist())}
SEGMENTS = {"names": str(dict(enumerate(LABELS))), "stride": "32", "task": "segment", "imgsz": "[64, 64]"}

CASES = {
    "v8": Case(yolo8),
    "v8 transposed": Case(yolo8_transposed),
    "v8 with masks": Case(yolo8_with_masks, metadata=SEGMENTS),
    "v8 in two outputs": Case(yolo8_in_two, place=out_of_stretch),
    "v8 of every label's rival": Case(yolo8, said={"class_agnostic": True}),
    "v5": Case(yolo5, products, each=3),
    "v5 of one label": Case(yolo5, products, each=3, labels=("face",)),
    "v5 with its maps": Case(yolo5_with_its_maps, products, each=3),
    "v5 without its last layer": Case(yolo5_maps, products, each=3, said=OF_OURS),
    "v5 without it, after a sigmoid": Case(yolo5_maps_after_sigmoid, products, each=3, said=OF_OURS),
    "YOLOX": Case(yolox, products, place=partial(out_of_letterbox, corner=True)),
    "YOLOX of one label": Case(yolox, products, labels=("text",), place=partial(out_of_letterbox, corner=True)),
    "v3": Case(darknet_maps, products, each=3, said=OF_OURS),
    "v3 of Keras": Case(keras_maps, products, each=3, said=OF_OURS),
    "v3 of Keras, flat": Case(flat_keras_maps, products, each=3, said=OF_OURS),
    "v4 of PyTorch": Case(yolo4_of_pytorch, place=out_of_stretch),
    "SSD": Case(ssd, of_ssd, place=out_of_stretch),
    "SSD with a background named": Case(ssd, of_ssd, labels=("BACKGROUND", *LABELS), place=out_of_stretch),
    "SSD of logits": Case(ssd_of_logits, of_ssd, place=out_of_stretch),
    "DETR": Case(detr, of_ssd, place=out_of_stretch),
    "UltraFace": Case(ssd, of_ssd, labels=("face",), place=out_of_stretch),
    "RetinaFace": Case(retinaface, each=2, labels=("face",), place=out_of_stretch),
    "SCRFD": Case(scrfd, each=2, labels=("face",), place=partial(out_of_letterbox, corner=True), takes_batches=False),
    "YuNet": Case(
        yunet,
        lambda given: np.sqrt(products(given)),
        labels=("face",),
        place=partial(out_of_letterbox, corner=True),
    ),
}


def assert_found(actual: Objects, expected: list[tuple[str, float, list[float]]]) -> None:
    assert isinstance(actual, ObjectDetection)
    assert [found.label for found in actual.objects] == [label for label, _, _ in expected]
    np.testing.assert_allclose([found.score for found in actual.objects], [each[1] for each in expected], atol=1e-5)
    boxes = np.array([found.box for found in actual.objects]).reshape(-1, 4)
    np.testing.assert_allclose(boxes, np.array([each[2] for each in expected]).reshape(-1, 4), atol=0.01)


@pytest.mark.parametrize("batch", ["n", 1])
@pytest.mark.parametrize("name", CASES)
def test_what_a_layout_says_is_found(name: str, batch: int | str, tmp_path: Path) -> None:
    case = CASES[name]
    labels = tuple(label for label in case.labels if label != "BACKGROUND")
    red, blue = (truth(seed, len(labels), case.each) for seed in (1, 2))
    first, second = case.outputs(red), case.outputs(blue)
    written = {key: (first[key], second[key]) for key in first}
    path = write_detector(
        tmp_path / "m.onnx", written, batch=batch if case.takes_batches else 1, metadata=case.metadata
    )
    hints = OnnxHints(labels=None if case.metadata else case.labels, detector=DetectorHints(**case.said))
    results, spec = found_by(path, hints, tmp_path)
    assert spec.takes_batches == case.takes_batches
    agnostic = case.said.get("class_agnostic", False)
    best = set()
    for (color, (width, height)), actual in zip(IMAGES, results, strict=True):
        given = red if color == "red" else blue
        objects = naive_objects(given.corners, case.scores(given), threshold=THRESHOLD, iou=IOU, agnostic=agnostic)
        best.add(objects[0][1])
        expected = [(labels[label], score, case.place(box, width, height)) for label, score, box in objects]
        assert_found(actual, expected)
    assert len(best) == 2, "images in which the same is found prove nothing"


@dataclass(frozen=True)
class ListedCase:
    """Outputs of chosen objects, and which of them are none."""

    outputs: Callable[[Truth], Outputs]
    varying: tuple[str, ...] = ()
    labels: int = 3
    most: int = MOST
    names: tuple[str, ...] = ()
    """What is given for the labels, if that is more than they."""
    said: Mapping[str, Any] = field(default_factory=dict)
    place: Place = out_of_letterbox
    takes_batches: bool = True


OF_TORCHVISION = ("2546", "2547", "2548")

LISTED_CASES = {
    "torchvision's of one label": ListedCase(
        torchvision,
        OF_TORCHVISION,
        labels=1,
        names=("__background__", LABELS[0]),
        place=out_of_stretch,
        takes_batches=False,
    ),
    "v10": ListedCase(columns),
    "v10 of one label": ListedCase(columns, labels=1),
    "v10 of two labels": ListedCase(columns, labels=2),
    "as shares": ListedCase(columns_of_shares),
    "as many as there are": ListedCase(columns, ("output0",), takes_batches=False),
    "v7": ListedCase(yolo7, ("output",), takes_batches=False),
    "TensorRT's": ListedCase(tensorrt, most=MOST - 8, place=out_of_stretch),
    "MMDetection's": ListedCase(mmdetection, place=partial(out_of_letterbox, corner=True)),
    "MMDetection's of one label": ListedCase(mmdetection, labels=1, place=partial(out_of_letterbox, corner=True)),
    "MMDetection's, as many as there are": ListedCase(
        mmdetection, ("dets", "labels"), place=partial(out_of_letterbox, corner=True), takes_batches=False
    ),
    "TensorFlow's": ListedCase(tensorflow, place=out_of_stretch),
    "torchvision's": ListedCase(torchvision, OF_TORCHVISION, place=out_of_stretch, takes_batches=False),
}


@pytest.mark.parametrize("name", LISTED_CASES)
def test_what_a_network_has_chosen_itself_is_found(name: str, tmp_path: Path) -> None:
    case = LISTED_CASES[name]
    labels = LABELS[: case.labels]
    red, blue = (truth(seed, case.labels) for seed in (3, 4))
    first, second = case.outputs(red), case.outputs(blue)
    path = write_detector(
        tmp_path / "m.onnx",
        {key: (first[key], second[key]) for key in first},
        batch="n" if case.takes_batches else 1,
        varying=case.varying,
    )
    results, spec = found_by(
        path, OnnxHints(labels=case.names or labels, detector=DetectorHints(**case.said)), tmp_path
    )
    assert spec.takes_batches == case.takes_batches
    for (color, (width, height)), actual in zip(IMAGES, results, strict=True):
        is_red = color == "red"
        objects = chosen(red if is_red else blue, case.most - (FEWER if case.varying and not is_red else 0))
        assert_found(
            actual,
            [
                (labels[label], score, case.place(box, width, height))
                for label, score, box in objects
                if score > THRESHOLD
            ],
        )


def test_a_network_that_finds_nothing_in_made_images_is_read_as_suppressed(tmp_path: Path) -> None:
    nothing = np.zeros((1, 0, 6))
    path = write_detector(tmp_path / "m.onnx", {"output0": (nothing, nothing)}, batch=1)
    results, spec = found_by(path, OnnxHints(labels=LABELS), tmp_path)
    assert spec.postprocess is not None
    assert spec.postprocess.kind == "listed"
    assert results == [ObjectDetection(())] * len(IMAGES)


def test_flags_settle_what_is_seen_otherwise(tmp_path: Path) -> None:
    given = truth(5, 3)
    path = write_detector(tmp_path / "m.onnx", {name: (rows, rows) for name, rows in columns_of_shares(given).items()})
    source = load_onnx(path, "object-detection", OnnxHints(labels=LABELS, detector=DetectorHints(box_unit="pixels")))
    (largest, *_) = source.predict(encoded("red", size=(SIZE, SIZE))).objects  # type: ignore[union-attr]
    assert max(largest.box) < 2
    two = LABELS[:2]
    path = write_detector(tmp_path / "n.onnx", {name: (rows, rows) for name, rows in columns(truth(5, 2)).items()})
    said = OnnxHints(labels=two, detector=DetectorHints(nms="outside"))
    assert load_onnx(path, "object-detection", said).postprocess.kind == "boxes"


def test_what_was_taken_for_granted_is_said(tmp_path: Path) -> None:
    given = truth(5, 3)
    outputs = {name: (rows, rows) for name, rows in yolo8(given).items()}
    warnings = load_onnx(
        write_detector(tmp_path / "m.onnx", outputs), "object-detection", OnnxHints(labels=LABELS)
    ).warnings
    assert warnings == (
        "The network's outputs are read as candidates with boxes as centre in pixels: 'output0' [1, 7, 84].",
        "Nothing says how the network's inputs are normalised, so pixels are divided by 255 and no more; if it was "
        "trained otherwise, pass --mean, --std or --scale.",
        "Nothing says how images are resized, so they are letterboxed to 64 by 64 pixels, in the centre on grey 114; "
        "if the network was trained otherwise, pass --resize.",
    )
    of_ultralytics = {"names": str(dict(enumerate(LABELS))), "stride": "32", "task": "detect", "imgsz": "[64, 64]"}
    path = write_detector(tmp_path / "n.onnx", outputs, metadata=of_ultralytics)
    assert load_onnx(path, "object-detection", OnnxHints()).warnings == warnings[:1]
