"""When two readings of documents are the same: to the gate, which allows a share of differences, and to parity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from support.measuring import measure

from tundish.results import Corners, ObjectDetection, Point, TextDetection, TextRecognition, TextRegion
from tundish_exporters import DataError
from tundish_exporters.agreement import quadrilateral_overlap
from tundish_exporters.equality import compare_results
from tundish_exporters.gate import check_measurable


def corners(x: float = 10, y: float = 10, width: float = 40, height: float = 10, slant: float = 0) -> Corners:
    return Point(x, y), Point(x + width, y + slant), Point(x + width, y + slant + height), Point(x, y + height)


def detection(*places: Corners, score: float = 0.9) -> TextDetection:
    return TextDetection(tuple(TextRegion(place, score) for place in places))


extents = st.integers(1, 30)


@settings(max_examples=60, deadline=None)
@given(extents, extents, extents, extents, st.integers(-8, 8))
def test_overlap_is_that_of_the_pixels(x: int, y: int, width: int, height: int, slant: int) -> None:
    """In tenths of a pixel, so that edges count for little."""
    masks = []
    places = corners(20, 20, 20, 20), corners(x, y + 10, width, height, slant)
    for place in places:
        drawn = Image.new("1", (800, 800))
        ImageDraw.Draw(drawn).polygon([(10 * px, 10 * py) for px, py in place], fill=1)
        masks.append(np.asarray(drawn))
    expected = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
    assert quadrilateral_overlap(*places) == pytest.approx(expected, abs=0.03)
    assert quadrilateral_overlap(*places[::-1]) == pytest.approx(quadrilateral_overlap(*places), abs=1e-6)


def test_regions_agree_as_far_as_they_have_partners() -> None:
    floating = [detection(corners(), corners(y=40)), detection()]
    assert measure(floating, floating).value == 1
    assert measure([detection(corners(x=25), corners(y=40)), detection()], floating).value == 0.5
    assert measure([detection(corners(x=12), corners(y=40)), detection()], floating).value == 1
    assert measure([detection(corners()), detection()], floating).value == pytest.approx(2 / 3)
    assert measure([detection(corners(), corners(y=40)), detection(corners())], floating).value == 0.8


def test_texts_agree_if_they_are_the_same() -> None:
    floating = [TextRecognition("12.5 mm", 0.9), TextRecognition("Rev. B", 0.8)]
    variant = [TextRecognition("12.5 mm", 0.4), TextRecognition("Rev.B", 0.8)]
    assert measure(variant, floating).value == 0.5
    assert measure(floating, floating).metric == "agreement"


def test_there_must_be_something_to_agree_on() -> None:
    for nothing, something in (
        (detection(), detection(corners())),
        (TextRecognition("", 0.0), TextRecognition("a", 0.5)),
    ):
        with pytest.raises(DataError, match="finds nothing"):
            check_measurable([nothing, nothing])
        check_measurable([nothing, something])


@pytest.mark.parametrize(
    ("actual", "fault"),
    [
        (detection(corners(y=40), corners()), ""),
        (detection(corners(x=11), corners(y=40, slant=1)), ""),
        (detection(corners(x=11.5), corners(y=40)), "none of the source"),
        (detection(corners()), "is missing"),
        (detection(corners(), corners(y=40), corners(y=80)), "none of the source"),
        (detection(corners(), corners(y=40), score=0.902), "none of the source"),
        (detection(corners(), corners(y=40), score=float("nan")), "none of the source"),
        (ObjectDetection(()), "ObjectDetection stands for a TextDetection"),
    ],
)
def test_regions_are_equal_in_place_and_score(actual: TextDetection, fault: str) -> None:
    said = compare_results(detection(corners(), corners(y=40)), actual)[1]
    assert fault in said
    assert bool(fault) == bool(said)


@pytest.mark.parametrize(
    ("expected", "actual", "fault"),
    [
        (("Rev. B", 0.9), ("Rev. B", 0.9005), ""),
        (("Rev. B", 0.9), ("Rev. B", 0.902), "'Rev. B' has the score 0.9020, not 0.9000"),
        (("Rev. B", 0.9), ("Rev.B", 0.9), "the text is 'Rev.B', not 'Rev. B'"),
        (("~", 0.3), ("-", 0.31), ""),  # neither is a text
        (("~", 0.3), ("-", 0.6), "the text is '-', not '~'"),
        (("", 0.0), ("", 0.0), ""),
    ],
)
def test_texts_are_equal_if_they_can_be_read(
    expected: tuple[str, float], actual: tuple[str, float], fault: str
) -> None:
    assert compare_results(TextRecognition(*expected), TextRecognition(*actual))[1] == fault
