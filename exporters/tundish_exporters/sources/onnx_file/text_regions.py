"""Regions of text by a network's probabilities, one number after the other: what the runtime's finder is held against.

Outlines and the smallest rectangles around points are OpenCV's in both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tundish.manifest import TextRegionPostprocess
from tundish.results import Point, TextRegion
from tundish.tasks.opencv import load_opencv

_Corner = tuple[float, float]


def read_regions(
    rule: TextRegionPostprocess, probabilities: NDArray[np.float32], size: tuple[int, int]
) -> Iterator[TextRegion]:
    """All regions, whatever their score, in any order, in pixels of an image of this height and width."""
    cv2 = load_opencv()
    outlines, _ = cv2.findContours(_bits(rule, probabilities), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for outline in outlines[: rule.max_regions]:
        rectangle = cv2.minAreaRect(outline)
        width, height = rectangle[1]
        if min(width, height) < 3:
            continue
        corners = [(float(x), float(y)) for x, y in cv2.boxPoints(rectangle)]
        distance = width * height / (2 * (width + height)) * rule.unclip_ratio
        grown = cv2.minAreaRect(np.array(_grown(corners, distance), np.int32))
        if min(grown[1]) < 5:
            continue
        placed = _placed([(float(x), float(y)) for x, y in cv2.boxPoints(grown)], probabilities.shape, size)
        if int(math.dist(placed[0], placed[1])) > 3 and int(math.dist(placed[0], placed[3])) > 3:
            yield TextRegion(placed, _mean_inside(corners, probabilities))


def _bits(rule: TextRegionPostprocess, probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    bits = probabilities > rule.threshold
    if rule.dilation:
        wide = bits.copy()
        wide[1:] |= bits[:-1]
        bits = wide.copy()
        bits[:, 1:] |= wide[:, :-1]
    return bits.astype(np.uint8)


def _mean_inside(corners: list[_Corner], probabilities: NDArray[np.float32]) -> float:
    cv2 = load_opencv()
    height, width = probabilities.shape
    left = min(max(math.floor(min(x for x, _ in corners)), 0), width - 1)
    top = min(max(math.floor(min(y for _, y in corners)), 0), height - 1)
    # Corners are cut to whole pixels from the one at the upper left of them all, which may lie outside.
    polygon = [(left + int(x - left), top + int(y - top)) for x, y in corners]
    inside = np.zeros(probabilities.shape, np.uint8)
    cv2.fillPoly(inside, [np.array(polygon, np.int32)], 1)
    return float(probabilities[inside == 1].mean(dtype=np.float64))


def _grown(corners: list[_Corner], distance: float) -> list[tuple[int, int]]:
    """Points around a quadrilateral: of arcs around its corners, a quarter of a pixel from true ones."""
    whole = [(int(x), int(y)) for x, y in corners]
    if _turn(whole) < 0:
        whole.reverse()
    steps_a_turn = min(math.pi / math.acos(1 - min(0.25, 0.25 * distance) / distance), math.pi * distance)
    step = 2 * math.pi / steps_a_turn
    points = []
    for place, (x, y) in enumerate(whole):
        before, after = whole[place - 1], whole[(place + 1) % 4]
        start = math.atan2(before[0] - x, y - before[1])
        end = math.atan2(x - after[0], after[1] - y)
        angle = (end - start) % (2 * math.pi)
        steps = max(1, math.floor(angle / step + 0.5))
        points += [
            (_rounded(x + distance * math.cos(direction)), _rounded(y + distance * math.sin(direction)))
            for direction in [*(start + number * step for number in range(steps)), end]
        ]
    return points


def _turn(corners: list[tuple[int, int]]) -> int:
    """Twice the area; positive if the corners go clockwise, as y points down."""
    following = [*corners[1:], corners[0]]
    return sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in zip(corners, following, strict=True))


def _rounded(value: float) -> int:
    """Halves away from zero."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)


def _placed(corners: list[_Corner], shape: tuple[int, ...], size: tuple[int, int]) -> tuple[Point, Point, Point, Point]:
    """In pixels of the image: the two on the left, each pair from above; clockwise."""
    (map_height, map_width), (height, width) = shape, size
    placed = [
        Point(
            min(max(round(x / map_width * width), 0), width - 1),
            min(max(round(y / map_height * height), 0), height - 1),
        )
        for x, y in _ordered([Point(*corner) for corner in corners])
    ]
    return _ordered(placed)


def _ordered(corners: list[Point]) -> tuple[Point, Point, Point, Point]:
    by_x = sorted(corners, key=lambda corner: corner.x)
    upper_left, lower_left = sorted(by_x[:2], key=lambda corner: corner.y)
    upper_right, lower_right = sorted(by_x[2:], key=lambda corner: corner.y)
    return upper_left, upper_right, lower_right, lower_left
