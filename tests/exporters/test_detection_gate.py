"""When what two detectors find is the same: to the gate, which allows a share of differences, and to parity."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.measuring import figures, measure
from support.oriented_boxes import corners_of

from tundish.results import Box, DetectedObject, ImageClassification, Label, ObjectDetection, Point, TokenClassification
from tundish_exporters import DataError
from tundish_exporters.agreement import overlap
from tundish_exporters.equality import compare_results
from tundish_exporters.gate import check_measurable

PART = Box(10, 10, 30, 30)


def found(label: str = "crack", score: float = 0.9, box: Box = PART) -> DetectedObject:
    return DetectedObject(label, score, box)


def moved(pixels: float, box: Box = PART) -> Box:
    return Box(*(edge + pixels for edge in box))


def detection(*objects: DetectedObject) -> ObjectDetection:
    return ObjectDetection(objects)


def agreement(variant: list[ObjectDetection], floating: list[ObjectDetection]) -> float:
    measured = measure(variant, floating)
    assert (measured.metric, measured.reference, measured.samples) == ("agreement", 1.0, len(floating))
    return measured.value


corners = st.integers(0, 12)
boxes = st.builds(lambda x, y, width, height: Box(x, y, x + width, y + height), corners, corners, corners, corners)


@settings(deadline=None)
@given(boxes, boxes)
def test_overlap_is_that_of_the_pixels(first: Box, second: Box) -> None:
    masks = np.zeros((2, 25, 25), bool)
    for mask, box in zip(masks, (first, second), strict=True):
        x_min, y_min, x_max, y_max = map(int, box)
        mask[y_min:y_max, x_min:x_max] = True
    union = (masks[0] | masks[1]).sum()
    expected = 1.0 if first == second else (masks[0] & masks[1]).sum() / union if union else 0.0
    assert overlap(first, second) == pytest.approx(expected)
    assert overlap(first, second) == overlap(second, first)


def test_a_detector_agrees_with_itself_also_on_images_of_nothing() -> None:
    results = [detection(found(), found("dent", 0.6, moved(50))), detection()]
    assert figures(measure(results, results)) == ("agreement", 1.0, 1.0, 2)


@pytest.mark.parametrize(
    ("variant", "partners"),
    [
        ([found(score=0.51)], 1),
        ([found(box=moved(2))], 1),  # 18² of 2 * 20² - 18² pixels
        ([found(box=moved(5))], 0),  # 15² of 2 * 20² - 15², which is below a half
        ([found("dent")], 0),
        ([], 0),
        ([found(), found(box=moved(1))], 1),  # an object is the partner of one alone
    ],
)
def test_agreement_is_the_f1_score_of_objects_with_a_partner(variant: list[DetectedObject], partners: int) -> None:
    expected = 2 * partners / (len(variant) + 1)
    assert agreement([detection(*variant)], [detection(found())]) == pytest.approx(expected)


def test_agreement_is_over_all_objects_and_not_a_mean_of_images() -> None:
    floating = [detection(found()), detection(*(found(box=moved(40 * place)) for place in range(1, 4)))]
    variant = [detection(), floating[1]]
    assert agreement(variant, floating) == pytest.approx(2 * 3 / (3 + 4))


def turned(angle: float, x: float = 20, label: str = "crack") -> DetectedObject:
    """A bar of 40 by 4 pixels, turned about its centre."""
    first, second, third, fourth = (Point(*corner) for corner in corners_of((x, 20, 40, 4, angle)))
    xs, ys = zip(first, second, third, fourth, strict=True)
    return DetectedObject(label, 0.9, Box(min(xs), min(ys), max(xs), max(ys)), (first, second, third, fourth))


@pytest.mark.parametrize(
    ("variant", "partners"),
    [
        (turned(0.7), 1),
        (turned(0.7 + math.pi), 1),  # the same by other names of its corners
        (turned(0.7, x=21), 1),
        (turned(0.7 + math.pi / 2), 0),  # boxes along the edges would lie one upon the other
        (turned(0.7, label="dent"), 0),
        (turned(0.95), 0),
        (found(box=turned(0.7).box), 1),  # one that was not turned is held against the rectangle
    ],
)
def test_oriented_boxes_agree_as_they_lie(variant: DetectedObject, partners: int) -> None:
    assert agreement([detection(variant)], [detection(turned(0.7))]) == partners


def test_parity_asks_for_the_corners_of_oriented_boxes() -> None:
    expected = detection(turned(0.7))
    assert compare_results(expected, detection(turned(0.72))) == (0.0, "")
    for other in (turned(0.8), turned(0.7 + math.pi / 2), found(box=turned(0.7).box)):
        assert "is no object of the source" in compare_results(expected, detection(other))[1]


def test_the_nearest_box_is_the_partner() -> None:
    floating = [detection(found(score=0.9, box=moved(2)), found(score=0.8))]
    assert agreement([detection(found(score=0.9), found(score=0.8, box=moved(4)))], floating) == 1.0


def test_a_float_model_that_finds_nothing_is_nothing_to_hold_variants_against() -> None:
    with pytest.raises(DataError, match=r"finds nothing in the 2 samples of the gate.* lower threshold\.$"):
        check_measurable([detection(), detection()])
    with pytest.raises(DataError, match=r"finds nothing in the one sample of the gate"):
        check_measurable([TokenClassification(())])
    check_measurable([detection(), detection(found())])
    assert measure([detection()], [detection()]).value == 1.0, "as in a slice of which others have what there is"


def faint(count: int) -> list[DetectedObject]:
    return [found(f"label {place}", 0.01, moved(place)) for place in range(count)]


@pytest.mark.parametrize(
    ("actual", "fault"),
    [
        ([found(score=0.9005)], ""),
        ([found(box=moved(0.9))], ""),
        ([found(score=0.902)], "scores, highest first, differ by up to 0.0020"),
        ([found(box=moved(1.1))], r"'crack' with the score 0.9000 at \[11.1, 11.1, 31.1, 31.1\] is no object"),
        ([found("dent")], "'dent' with the score 0.9000 at .* is no object of the source"),
        ([], "differ by up to 0.9000"),
        ([found(), found("dent", 0.02)], "differ by up to 0.0200"),
        ([found(score=float("nan"))], "differ by up to nan"),
    ],
)
def test_parity_allows_rounding_alone(actual: list[DetectedObject], fault: str) -> None:
    said = compare_results(detection(found()), detection(*actual))[1]
    assert re.search(fault, said) if fault else said == ""


def test_parity_asks_for_every_object_of_the_source() -> None:
    pair = detection(found(), found(box=moved(50)))
    assert "is missing" in compare_results(pair, detection(found(), found()))[1]


def test_what_faint_objects_behind_the_best_are_hangs_on_rounding() -> None:
    expected = detection(found(), *faint(20))
    other = detection(found(), *faint(15), *(found("else", 0.01, moved(-5)) for _ in range(5)))
    assert compare_results(expected, other) == (0.0, "")
    assert "is no object" in compare_results(expected, detection(found(), found("else", 0.01), *faint(19)))[1]


def test_parity_tells_kinds_of_results_apart() -> None:
    classified = ImageClassification((Label("crack", 0.9),))
    assert "stands for" in compare_results(detection(found()), classified)[1]
    assert "stands for" in compare_results(classified, detection(found()))[1]
