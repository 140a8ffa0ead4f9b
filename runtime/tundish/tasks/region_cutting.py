"""Cuts a quadrilateral out of an image, as one that lies straight, as PP-OCR's own scripts do."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tundish.errors import InvalidInputError
from tundish.tasks.opencv import load_opencv

_MAX_EDGE = 32_766
"""Of the image, in pixels, by what OpenCV remaps."""
_UPRIGHT = 1.5
"""A region that is this many times as high as wide is a line that runs upwards, and is turned to the right."""


class RegionCutter:
    """Cuts by bicubic interpolation; beyond the image's edge, its last pixels go on."""

    def __init__(self) -> None:
        """Raises BundleError if OpenCV is not there."""
        self._cv = load_opencv()

    def cut(self, pixels: NDArray[np.uint8], corners: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The region `[height, width, 3]`, as wide and as high as the longer one of its opposite edges.

        Args:
            pixels: `[height, width, 3]`.
            corners: `[4, 2]`, x and y, clockwise from the upper left one of what the region shows.

        Raises:
            InvalidInputError: an edge of the image is too long, or a corner is no number or far outside the image.
        """
        cv = self._cv
        edge = max(pixels.shape[:2])
        if edge > _MAX_EDGE:
            raise InvalidInputError(f"The image has an edge of {edge} pixels; regions are cut out of {_MAX_EDGE}.")
        if not (np.abs(corners) <= 2 * edge).all():  # also what is not a number
            raise InvalidInputError(f"The region with the corners {corners.tolist()} does not lie in the image.")
        width, height = _extents(corners.tolist())
        straight = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        cut: NDArray[np.uint8] = cv.warpPerspective(
            pixels,
            cv.getPerspectiveTransform(np.ascontiguousarray(corners, np.float32), straight),
            (width, height),
            flags=cv.INTER_CUBIC,
            borderMode=cv.BORDER_REPLICATE,
        )
        return np.ascontiguousarray(np.rot90(cut)) if height >= _UPRIGHT * width else cut


def runs_down(corners: Sequence[Sequence[float]]) -> bool:
    """Whether the line in a region is read from its upper edge to its lower one, since it is that much higher."""
    width, height = _extents(corners)
    return height >= _UPRIGHT * width


def _extents(corners: Sequence[Sequence[float]]) -> tuple[int, int]:
    """Width and height of what is cut out."""
    first, second, third, fourth = corners
    width = max(1, int(max(math.dist(first, second), math.dist(third, fourth))))
    height = max(1, int(max(math.dist(first, fourth), math.dist(second, third))))
    return width, height
