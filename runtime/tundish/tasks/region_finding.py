"""From the probability of each pixel to be text to the regions of lines, as PP-OCR's own scripts do.

They round to whole pixels wherever they can, and so does this: regions are cut out to be read, and a pixel more or less
changes scores. What is rounded, and which way, stands in docs/decisions/2026-11-26-documents.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tundish.manifest import TextRegionPostprocess
from tundish.results import Point, TextRegion
from tundish.tasks.opencv import load_opencv

_Floats = NDArray[np.float32]

_LEAST_SIDE = 3
"""Of what a region grows from, in pixels of the network's input; what is smaller is noise."""
_LEAST_GROWN_SIDE = 5
_LEAST_SHOWN_SIDE = 4
"""Of a region, in whole pixels of the image."""
_ARC_TOLERANCE = 0.25
"""By how many pixels the corners of a grown outline, which are polygons, may miss the arc."""
_SAME_ROW = 10
"""Pixels of the image by which upper left corners of one row may differ in height."""


class _Rectangle(NamedTuple):
    corners: _Floats
    """`[4, 2]`, one after the other."""
    width: float
    height: float


class RegionFinder:
    """Finds regions by the rule of a bundle."""

    def __init__(self, rule: TextRegionPostprocess) -> None:
        """Raises BundleError if OpenCV is not there."""
        self._rule = rule
        self._cv = load_opencv()

    def find(self, probabilities: _Floats, size: tuple[int, int]) -> tuple[TextRegion, ...]:
        """The regions in `[height, width]` probabilities, in reading order, in pixels of an image of height and width.

        Corners are whole pixels of the image.
        """
        cv, rule = self._cv, self._rule
        bits = (probabilities > rule.threshold).astype(np.uint8)
        if rule.dilation:
            bits = cv.dilate(bits, np.ones((2, 2), np.uint8))
        outlines, _ = cv.findContours(bits, cv.RETR_LIST, cv.CHAIN_APPROX_SIMPLE)
        found = []
        for outline in outlines[: rule.max_regions]:
            inner = self._rectangle(outline)
            if min(inner.width, inner.height) < _LEAST_SIDE:
                continue
            score = self._score(probabilities, inner.corners)
            if score < rule.box_threshold:
                continue
            distance = inner.width * inner.height * rule.unclip_ratio / (2 * (inner.width + inner.height))
            outer = self._rectangle(grown_outline(inner.corners, distance))
            if min(outer.width, outer.height) < _LEAST_GROWN_SIDE:
                continue
            corners = _in_image(outer.corners, probabilities.shape, size)
            if corners is not None:
                found.append(TextRegion(corners, score))
        return in_reading_order(found)

    def _rectangle(self, points: NDArray[np.int32]) -> _Rectangle:
        rectangle = self._cv.minAreaRect(points)
        return _Rectangle(self._cv.boxPoints(rectangle), *rectangle[1])

    def _score(self, probabilities: _Floats, corners: _Floats) -> float:
        """The mean of the probabilities in a quadrilateral, the pixels of its edges included."""
        height, width = probabilities.shape
        left, right = np.clip([math.floor(corners[:, 0].min()), math.ceil(corners[:, 0].max())], 0, width - 1)
        top, bottom = np.clip([math.floor(corners[:, 1].min()), math.ceil(corners[:, 1].max())], 0, height - 1)
        inside = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
        self._cv.fillPoly(inside, [(corners - np.array([left, top], np.float32)).astype(np.int32)], 1)
        mean: float = self._cv.mean(probabilities[top : bottom + 1, left : right + 1], inside)[0]
        return mean


def grown_outline(corners: _Floats, distance: float) -> NDArray[np.int32]:
    """The outline `[points, 2]` of all that is within `distance` of a quadrilateral `[4, 2]`.

    The corners are cut to whole pixels, and the points rounded, halves away from zero. Around a corner, each point is
    a step further on the arc, from the perpendicular of one edge to that of the next, in as many steps a turn as
    polygons with `_ARC_TOLERANCE` have.
    """
    corners = np.trunc(corners.astype(np.float64))
    edges = np.roll(corners, -1, axis=0) - corners
    if edges[0, 0] * edges[1, 1] < edges[0, 1] * edges[1, 0]:
        corners = corners[::-1]
        edges = np.roll(corners, -1, axis=0) - corners
    lengths = np.maximum(np.hypot(edges[:, 0], edges[:, 1]), 1e-9)
    normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1) / lengths[:, np.newaxis]
    tolerance = min(_ARC_TOLERANCE, _ARC_TOLERANCE * distance)
    steps_a_turn = min(math.pi / math.acos(1 - tolerance / distance), math.pi * distance)
    points = []
    for corner, before, after in zip(corners, np.roll(normals, 1, axis=0), normals, strict=True):
        angle = abs(math.atan2(before[0] * after[1] - before[1] * after[0], before @ after))
        steps = max(1, math.floor(steps_a_turn * angle / (2 * math.pi) + 0.5))
        turn = np.arange(steps) * (2 * math.pi / steps_a_turn)
        cosines, sines = np.cos(turn), np.sin(turn)
        arc = np.stack([before[0] * cosines - before[1] * sines, before[0] * sines + before[1] * cosines], axis=1)
        points += [corner + distance * arc, (corner + distance * after)[np.newaxis]]
    outline = np.concatenate(points)
    rounded: NDArray[np.int32] = np.trunc(outline + np.copysign(0.5, outline)).astype(np.int32)
    return rounded


def in_reading_order(regions: Sequence[TextRegion]) -> tuple[TextRegion, ...]:
    """From top to bottom by the upper left corner, and where two neighbours are in one row, from left to right."""
    ordered = sorted(regions, key=lambda region: (region.corners[0].y, region.corners[0].x))
    for end in range(1, len(ordered)):
        for place in range(end, 0, -1):
            above, below = ordered[place - 1].corners[0], ordered[place].corners[0]
            if below.y - above.y >= _SAME_ROW or above.y - below.y >= _SAME_ROW or below.x >= above.x:
                break
            ordered[place - 1], ordered[place] = ordered[place], ordered[place - 1]
    return tuple(ordered)


def _in_image(
    corners: _Floats, shape: tuple[int, ...], size: tuple[int, int]
) -> tuple[Point, Point, Point, Point] | None:
    """Corners of a map of this shape in whole pixels of the image, clockwise from the upper left one; None if small."""
    height, width = size
    # Twice, as rounding may put corners above one another: which of those is on the left then, the first order says.
    scaled = _clockwise(corners) / np.array(shape[::-1], np.float32) * np.array([width, height], np.float32)
    whole = _clockwise(np.clip(np.round(scaled), 0, [width, height]))
    first, second, third, fourth = np.minimum(whole, [width - 1, height - 1])
    if min(math.dist(first, second), math.dist(first, fourth)) < _LEAST_SHOWN_SIDE:
        return None
    return Point(*first.tolist()), Point(*second.tolist()), Point(*third.tolist()), Point(*fourth.tolist())


def _clockwise(corners: NDArray[np.floating]) -> NDArray[np.floating]:
    """`[4, 2]`: the two on the left are the upper and the lower left one, the others those on the right."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = (pair[np.argsort(pair[:, 1], kind="stable")] for pair in (by_x[:2], by_x[2:]))
    return np.stack([left[0], right[0], right[1], left[1]])
