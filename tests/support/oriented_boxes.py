"""Boxes that are turned, one by one: corners by complex numbers, overlaps by OpenCV."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import cv2

MARGIN = 2e-3
"""OpenCV reckons in float32; overlaps that are nearer to a threshold may fall on either side of it."""


def corners_of(box: Sequence[float]) -> list[tuple[float, float]]:
    """Of centre x, centre y, width, height and angle: from the box's own upper left, clockwise in an image."""
    x, y, width, height, angle = box
    turn = cmath.exp(1j * angle)
    shares = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    placed = [complex(x, y) + turn * complex(right * width / 2, down * height / 2) for right, down in shares]
    return [(corner.real, corner.imag) for corner in placed]


def rotated_overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes of five numbers."""
    rectangles: Any = [((x, y), (width, height), math.degrees(angle)) for x, y, width, height, angle in (first, second)]
    kind, points = cv2.rotatedRectangleIntersection(*rectangles)
    common = 0.0 if kind == cv2.INTERSECT_NONE else float(cv2.contourArea(cv2.convexHull(points)))
    return common / (first[2] * first[3] + second[2] * second[3] - common)


def is_clear(boxes: Sequence[Sequence[float]], iou: float) -> bool:
    """Whether no two boxes overlap by nearly the threshold."""
    return all(abs(rotated_overlap(*pair) - iou) > MARGIN for pair in combinations(boxes, 2))
