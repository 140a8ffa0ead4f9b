"""Boxes that are turned, one by one: corners by complex numbers, overlaps by cutting one at the other's edges."""

from __future__ import annotations

import cmath
from collections.abc import Sequence
from itertools import combinations

MARGIN = 1e-4
"""Kernels reckon in float32; overlaps that are nearer to a threshold may fall on either side of it."""

Corner = tuple[float, float]


def corners_of(box: Sequence[float]) -> list[Corner]:
    """Of centre x, centre y, width, height and angle: from the box's own upper left, clockwise in an image."""
    x, y, width, height, angle = box
    turn = cmath.exp(1j * angle)
    shares = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    placed = [complex(x, y) + turn * complex(right * width / 2, down * height / 2) for right, down in shares]
    return [(corner.real, corner.imag) for corner in placed]


def rotated_overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes of five numbers; Sutherland's and Hodgman's way."""
    polygon, edges = corners_of(first), corners_of(second)
    for begin, end in zip(edges, edges[1:] + edges[:1], strict=True):
        polygon = _cut(polygon, begin, end)
    common = abs(sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(polygon, polygon[1:] + polygon[:1], strict=True))) / 2
    return common / (first[2] * first[3] + second[2] * second[3] - common)


def is_clear(boxes: Sequence[Sequence[float]], iou: float) -> bool:
    """Whether no two boxes overlap by nearly the threshold."""
    return all(abs(rotated_overlap(*pair) - iou) > MARGIN for pair in combinations(boxes, 2))


def _cut(polygon: list[Corner], begin: Corner, end: Corner) -> list[Corner]:
    """What of a polygon lies to the right of a line, as people see it in an image."""

    def side(point: Corner) -> float:
        return (end[0] - begin[0]) * (point[1] - begin[1]) - (end[1] - begin[1]) * (point[0] - begin[0])

    kept = []
    for here, there in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if side(here) >= 0:
            kept.append(here)
        if side(here) * side(there) < 0:
            share = side(here) / (side(here) - side(there))
            kept.append((here[0] + share * (there[0] - here[0]), here[1] + share * (there[1] - here[1])))
    return kept
