"""From candidates and chosen objects in pixels of a network's input to objects, against plain loops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.onnx_detectors import naive_objects
from support.oriented_boxes import corners_of, is_clear, rotated_overlap

from tundish.errors import BundleError, EngineError
from tundish.manifest import BoxPostprocess, DetectionPostprocess, ListedPostprocess, TensorSpec
from tundish.tasks.box_finding import Found
from tundish.tasks.image_reading import PreparedImage
from tundish.tasks.object_finding import load_finder
from tundish_kernels import Window

LABELS = ("crack", "scratch", "dent")
WINDOWS = [Window(30, 40, 0, 0), Window(24, 40, -3, 0), Window(30, 7, 0, -16), Window(50, 80, 10, 20)]
"""Stretched, letterboxed either way, and cropped."""
SIZES = [(30, 40), (600, 1000), (601, 143), (500, 801)]
"""Height and width of their images."""


def images(count: int = len(SIZES)) -> list[PreparedImage]:
    pixels = np.zeros((1, 1, 3), np.uint8)
    return [PreparedImage(pixels, *pair) for pair in zip(WINDOWS[:count], SIZES[:count], strict=True)]


def find(rule: DetectionPostprocess, outputs: dict[str, Any], items: Sequence[PreparedImage]) -> list[Any]:
    specs = [TensorSpec(name=name, datatype="FP32", shape=array.shape) for name, array in outputs.items()]
    return load_finder(rule, specs, Path("bundle")).find(outputs, items)


def in_image(box: Sequence[float], image: PreparedImage) -> list[float]:
    """Undoes what was done to the image: from the output into the resized form, and from there to its own size."""
    place, (height, width) = image.window, image.size
    x, y = width / place.resized_width, height / place.resized_height
    return [(box[0] + place.left) * x, (box[1] + place.top) * y, (box[2] + place.left) * x, (box[3] + place.top) * y]


def assert_found(actual: Found | EngineError, expected: list[tuple[int, float, list[float]]], image: Any) -> None:
    assert not isinstance(actual, EngineError), actual
    assert [found.label for found in actual] == [LABELS[label] for label, _, _ in expected]
    assert [found.score for found in actual] == [pytest.approx(score) for _, score, _ in expected]
    for found, (_, _, box) in zip(actual, expected, strict=True):
        assert found.box == pytest.approx(in_image(box, image), abs=1e-2)


def candidates(seed: int, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Corners and scores, of which few are equal and some overlap."""
    draw = np.random.default_rng(seed)
    corners = draw.uniform(-5, 35, (len(SIZES), count, 2))
    boxes = np.concatenate([corners, corners + draw.uniform(1, 25, corners.shape)], axis=2)
    return boxes.astype(np.float32), draw.uniform(0, 1, (len(SIZES), count, len(LABELS))).astype(np.float32) ** 2


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 40),
    form=st.sampled_from(["corners", "centre"]),
    last=st.booleans(),
    agnostic=st.booleans(),
    iou=st.sampled_from([0.0, 0.3, 0.45, 1.0]),
)
def test_objects_are_those_of_plain_loops(
    seed: int, count: int, form: Any, last: bool, agnostic: bool, iou: float
) -> None:
    corners, scores = candidates(seed, count)
    boxes = corners
    if form == "centre":
        boxes = np.concatenate([(corners[..., :2] + corners[..., 2:]) / 2, corners[..., 2:] - corners[..., :2]], axis=2)
    if last:
        boxes, given_scores = boxes.transpose(0, 2, 1).copy(), scores.transpose(0, 2, 1).copy()
    else:
        given_scores = scores
    rule = BoxPostprocess(
        labels=LABELS, threshold=0.3, box_form=form, candidates_last=last, iou=iou, class_agnostic=agnostic
    )
    found = find(rule, {"boxes": boxes, "scores": given_scores}, images())
    for index, image in enumerate(images()):
        expected = naive_objects(corners[index], scores[index], threshold=0.3, iou=iou, agnostic=agnostic)
        assert_found(found[index], expected, image)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 12), last=st.booleans(), iou=st.sampled_from([0.0, 0.3, 0.45]))
def test_oriented_objects_are_those_of_plain_loops(seed: int, count: int, last: bool, iou: float) -> None:
    draw = np.random.default_rng(seed)
    shape = (len(SIZES), count)
    boxes = np.concatenate(
        [draw.uniform(0, 30, (*shape, 2)), draw.uniform(3, 25, (*shape, 2)), draw.uniform(-4, 4, (*shape, 1))], axis=2
    ).astype(np.float32)
    scores = draw.uniform(0, 1, (*shape, len(LABELS))).astype(np.float32) ** 2
    assume(all(is_clear(row.tolist(), iou) for row in boxes))
    rule = BoxPostprocess(labels=LABELS, threshold=0.3, box_form="oriented", candidates_last=last, iou=iou)
    outputs = {"boxes": boxes, "scores": scores}
    if last:
        outputs = {name: rows.transpose(0, 2, 1).copy() for name, rows in outputs.items()}
    found = find(rule, outputs, images())
    for index, image in enumerate(images()):
        expected = naive_objects(boxes[index], scores[index], threshold=0.3, iou=iou, overlapping=rotated_overlap)
        assert_oriented(found[index], expected, image)


def assert_oriented(actual: Any, expected: list[tuple[int, float, list[float]]], image: PreparedImage) -> None:
    assert [(found.label, found.score) for found in actual] == [
        (LABELS[label], pytest.approx(score)) for label, score, _ in expected
    ]
    for found, (_, _, box) in zip(actual, expected, strict=True):
        corners = [in_image([x, y, x, y], image)[:2] for x, y in corners_of(box)]
        np.testing.assert_allclose(found.corners, corners, atol=0.02)
        (x_min, x_max), (y_min, y_max) = ((min(line), max(line)) for line in zip(*corners, strict=True))
        assert found.box == pytest.approx((x_min, y_min, x_max, y_max), abs=0.02)


def test_chosen_oriented_objects_are_sorted_and_placed() -> None:
    boxes = np.array([[[10, 8, 6, 2, 0.5], [20, 9, 4, 8, -1], [0, 0, 0, 0, 0]]], np.float32)
    outputs = {"boxes": boxes, "scores": np.array([[0.6, 0.8, 0]], np.float32), "classes": np.zeros((1, 3), np.float32)}
    for image in images():
        (found,) = find(ListedPostprocess(labels=LABELS, box_form="oriented"), outputs, [image])
        assert_oriented(found, [(0, 0.8, boxes[0, 1].tolist()), (0, 0.6, boxes[0, 0].tolist())], image)


def test_a_turn_goes_from_the_x_axis_to_the_y_axis() -> None:
    boxes = np.array([[[20, 10, 8, 4, np.pi / 2]]], np.float32)
    outputs = {"boxes": boxes, "scores": np.array([[[0.9, 0, 0]]], np.float32)}
    rule = BoxPostprocess(labels=LABELS, box_form="oriented", iou=0.5)
    ((found,),) = find(rule, outputs, images(1))
    assert found.corners is not None
    # A quarter turn clockwise brings the upper left corner to the upper right.
    assert np.round(found.corners, 3).tolist() == [[22, 6], [22, 14], [18, 14], [18, 6]]
    assert found.box == pytest.approx((18, 6, 22, 14))


def test_the_search_ends_at_the_most_objects() -> None:
    boxes, scores = candidates(1, 40)
    rule = BoxPostprocess(labels=LABELS, threshold=0.1, box_form="corners", iou=1.0, max_objects=5)
    for found in find(rule, {"boxes": boxes, "scores": scores}, images()):
        assert len(found) == 5


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 20))
def test_chosen_objects_are_sorted_and_kept(seed: int, count: int) -> None:
    boxes, scores = candidates(seed, count)
    classes, best = scores.argmax(axis=2).astype(np.float32), scores.max(axis=2, initial=0)
    outputs = {"boxes": boxes, "scores": best, "classes": classes}
    found = find(ListedPostprocess(labels=LABELS, threshold=0.3), outputs, images())
    for index, image in enumerate(images()):
        expected = naive_objects(boxes[index], scores[index], threshold=0.3, iou=1.0)
        assert_found(found[index], expected, image)


@pytest.mark.parametrize("where", ["boxes", "scores"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("listed", [False, True])
def test_an_image_without_numbers_fails_alone(where: str, value: float, listed: bool) -> None:
    boxes, scores = candidates(2, 9)
    outputs = {"boxes": boxes, "scores": scores}
    rule: DetectionPostprocess = BoxPostprocess(labels=LABELS, box_form="corners", iou=0.5)
    if listed:
        outputs = {"boxes": boxes, "scores": scores[..., 0].copy(), "classes": np.zeros(scores.shape[:2], np.float32)}
        rule = ListedPostprocess(labels=LABELS)
    good = find(rule, outputs, images())
    outputs[where][1, 3] = value
    first, second, *others = find(rule, outputs, images())
    assert (first, others) == (good[0], good[2:])
    assert "NaN or an infinity where scores and boxes belong" in str(second)


def test_a_class_without_a_label_fails_alone() -> None:
    boxes = np.zeros((2, 2, 4), np.float32)
    scores = np.array([[0.9, 0.1], [0.9, 0.8]], np.float32)
    classes = np.array([[2, 7], [0, 7]], np.float32)
    outputs = {"boxes": boxes, "scores": scores, "classes": classes}
    first, second = find(ListedPostprocess(labels=LABELS), outputs, images(2))
    assert [found.label for found in first] == ["dent"]
    assert "gave the class 7, and there are 3 labels" in str(second)


@pytest.mark.parametrize(
    ("rule", "shapes", "message"),
    [
        (
            BoxPostprocess(labels=LABELS, box_form="corners", iou=0.5),
            {"boxes": (1, 9, 4), "scores": (1, 9, 80)},
            r"'scores' of the shape \[batch, candidates, 3\] for 3 labels, got \[1, 9, 80\]",
        ),
        (
            BoxPostprocess(labels=LABELS, box_form="corners", iou=0.5, candidates_last=True),
            {"boxes": (1, 9, 4), "scores": (1, 3, 9)},
            r"'boxes' of the shape \[batch, 4, candidates\]",
        ),
        (ListedPostprocess(labels=LABELS), {"boxes": (1, 9, 4), "scores": (1, 9)}, r"'classes' of the .* got \[\]"),
        (
            BoxPostprocess(labels=LABELS, box_form="oriented", iou=0.5),
            {"boxes": (1, 9, 4), "scores": (1, 9, 3)},
            r"'boxes' of the shape \[batch, candidates, 5\]",
        ),
        (
            ListedPostprocess(labels=LABELS, box_form="oriented"),
            {"boxes": (1, 9, 4), "scores": (1, 9), "classes": (1, 9)},
            r"'boxes' of the shape \[batch, objects, 5\]",
        ),
    ],
)
def test_a_network_of_another_form_is_refused(rule: Any, shapes: dict[str, tuple[int, ...]], message: str) -> None:
    specs = [TensorSpec(name=name, datatype="FP32", shape=shape) for name, shape in shapes.items()]
    with pytest.raises(BundleError, match=message):
        load_finder(rule, specs, Path("bundle"))
