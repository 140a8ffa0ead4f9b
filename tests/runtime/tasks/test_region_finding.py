"""Regions of text: against what RapidOCR makes of the same map, and what outlines and rectangles are by definition."""

from __future__ import annotations

import math
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tundish.errors import BundleError
from tundish.manifest import TextRegionPostprocess
from tundish.results import Point, TextRegion
from tundish.tasks.region_finding import RegionFinder, grown_outline, in_reading_order
from tundish_exporters.sources.onnx_file.text_regions import read_regions

Map = NDArray[np.float32]

LINES = (
    (60, 20, 70, 9, 0.0, 0.9),
    (190, 24, 90, 8, 0.0, 0.8),
    (70, 60, 80, 10, 0.3, 0.95),
    (180, 90, 60, 7, -0.6, 0.7),
    (40, 120, 12, 60, 0.0, 0.85),
    (130, 140, 50, 6, 0.05, 0.45),
    (215, 140, 6, 2, 0.0, 0.9),
    (230, 60, 8, 8, 0.78, 0.99),
)
"""Centre, width, height, angle and probability: straight, turned, upright, faint, tiny and standing on a corner."""

RAPIDOCR = {
    (1.6, True, (160, 256)): [
        ([(19, 10), (102, 10), (102, 31), (19, 31)], 0.73501),
        ([(138, 13), (243, 13), (243, 36), (138, 36)], 0.60156),
        ([(27, 31), (122, 60), (113, 89), (18, 60)], 0.67236),
        ([(230, 47), (243, 60), (230, 73), (217, 60)], 0.58044),
        ([(24, 80), (55, 80), (55, 159), (24, 159)], 0.68565),
    ],
    (1.6, True, (333, 700)): [
        ([(52, 21), (279, 21), (279, 65), (52, 65)], 0.73501),
        ([(377, 27), (664, 27), (664, 75), (377, 75)], 0.60156),
        ([(74, 65), (333, 126), (309, 185), (50, 124)], 0.67236),
        ([(629, 98), (664, 125), (629, 152), (593, 125)], 0.58044),
        ([(66, 166), (150, 166), (150, 331), (66, 331)], 0.68565),
    ],
    (2.0, False, (120, 200)): [
        ([(14, 7), (80, 7), (80, 23), (14, 23)], 0.79259),
        ([(108, 10), (189, 10), (189, 26), (108, 26)], 0.65668),
        ([(20, 22), (96, 45), (88, 67), (13, 44)], 0.72745),
        ([(180, 35), (189, 44), (180, 53), (170, 44)], 0.67363),
        ([(19, 60), (44, 60), (44, 119), (19, 119)], 0.73495),
        ([(112, 76), (160, 45), (169, 58), (121, 89)], 0.51074),
    ],
}
"""By the ratio, dilation, and the image's height and width: the boxes and scores of RapidOCR 1.4.4 for `LINES`."""


def probabilities(lines: tuple[tuple[float, ...], ...] = LINES, size: tuple[int, int] = (160, 256)) -> Map:
    """With soft edges, as networks draw them."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    drawn = np.zeros(size)
    for centre_x, centre_y, width, height, angle, probability in lines:
        along = (x - centre_x) * np.cos(angle) + (y - centre_y) * np.sin(angle)
        across = -(x - centre_x) * np.sin(angle) + (y - centre_y) * np.cos(angle)
        outside = np.maximum(np.abs(along) - width / 2, np.abs(across) - height / 2)
        drawn = np.maximum(drawn, probability / (1 + np.exp(np.clip(outside, -30, 30) / 0.7)))
    return drawn.astype(np.float32)


def find(drawn: Map, size: tuple[int, int] = (160, 256), **rule: float) -> tuple[TextRegion, ...]:
    return RegionFinder(TextRegionPostprocess(**rule)).find(drawn, size)  # type: ignore[arg-type]


def square(x: float, y: float, score: float = 0.9) -> TextRegion:
    return TextRegion((Point(x, y), Point(x + 5, y), Point(x + 5, y + 5), Point(x, y + 5)), score)


@pytest.mark.parametrize("said", RAPIDOCR)
def test_regions_are_those_of_rapidocr(said: tuple[float, bool, tuple[int, int]]) -> None:
    ratio, dilation, size = said
    found = find(probabilities(), size, unclip_ratio=ratio, dilation=dilation)
    assert [[tuple(corner) for corner in region.corners] for region in found] == [box for box, _ in RAPIDOCR[said]]
    assert [region.score for region in found] == pytest.approx([score for _, score in RAPIDOCR[said]], abs=2e-5)


@pytest.mark.parametrize("seed", range(12))
def test_they_are_those_of_plain_arithmetic(seed: int) -> None:
    draw = np.random.default_rng(seed)
    lines = tuple(
        (*draw.uniform((20, 20), (236, 140)), *draw.uniform((8, 2), (90, 14)), angle, draw.uniform(0.3, 1))
        for angle in draw.uniform(-math.pi, math.pi, 6) * draw.integers(0, 2, 6)
    )
    drawn, size = probabilities(lines), (int(draw.integers(50, 900)), int(draw.integers(50, 900)))
    rule = TextRegionPostprocess(box_threshold=0, dilation=bool(seed % 2), unclip_ratio=draw.uniform(0.5, 3))
    found = RegionFinder(rule).find(drawn, size)
    expected = list(read_regions(rule, drawn, size))
    assert len(found) == len(expected) > 1
    for region, other in zip(found, in_reading_order(expected), strict=True):
        assert region.corners == other.corners
        assert region.score == pytest.approx(other.score, abs=1e-6)


whole = st.integers(0, 60)


@settings(max_examples=60, deadline=None)
@given(whole, whole, st.floats(3, 40), st.floats(3, 40), st.floats(-180, 180), st.floats(1, 12))
def test_an_outline_lies_at_its_distance(
    x: int, y: int, width: float, height: float, degrees: float, distance: float
) -> None:
    corners = cv2.boxPoints(((x + 60, y + 60), (width, height), degrees)).astype(np.float32)
    outline = grown_outline(corners, distance)
    inner = np.trunc(corners).astype(np.float32)
    distances = [-cv2.pointPolygonTest(inner, (float(px), float(py)), True) for px, py in outline]
    # Points are whole pixels, and arcs polygons.
    assert all(distance - 0.75 <= each <= distance + 0.75 for each in distances)
    assert outline.dtype == np.int32


def test_what_is_small_or_faint_is_no_region() -> None:
    assert find(probabilities(((50, 50, 40, 8, 0, 0.25),))) == ()  # no pixel is above the threshold
    assert find(probabilities(((50, 50, 40, 8, 0, 0.45),))) == ()
    assert len(find(probabilities(((50, 50, 40, 8, 0, 0.45),)), box_threshold=0.3)) == 1
    assert find(probabilities(((50, 50, 40, 1.5, 0, 0.9),)), dilation=False) == ()


def test_dilation_joins_what_a_pixel_parts() -> None:
    broken = np.zeros((60, 100), np.float32)
    broken[20:32, 10:40] = broken[20:32, 41:80] = 0.9
    assert len(find(broken, (60, 100), dilation=False)) == 2
    assert len(find(broken, (60, 100), dilation=True)) == 1


def test_the_search_ends_at_its_most() -> None:
    assert len(find(probabilities(), box_threshold=0, max_regions=2)) == 2


def test_nothing_is_found_in_nothing() -> None:
    assert find(np.zeros((32, 32), np.float32)) == ()


def test_a_row_is_read_from_left_to_right_although_it_slants() -> None:
    regions = [square(10, 109), square(200, 100), square(100, 104), square(50, 10), square(60, 130)]
    placed = [region.corners[0] for region in in_reading_order(regions)]
    assert placed == [(50, 10), (10, 109), (100, 104), (200, 100), (60, 130)]


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(BundleError, match=r"pip install 'tundish\[documents\]'"):
        RegionFinder(TextRegionPostprocess())
