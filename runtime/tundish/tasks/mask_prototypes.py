"""From a network's objects and their masks' weights of prototypes to the segments of an image.

A mask is interpolated straight to the pixels of the image that lie in its object's box, a band of rows at a time, so
that memory holds a byte a pixel of the image, and work goes by the boxes' areas.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tundish.masks import Mask
from tundish.tasks.box_finding import in_image
from tundish.tasks.image_reading import PreparedImage

Floats = NDArray[np.float32]
Size = tuple[int, int]
"""Height and width in pixels."""

_BAND = 2**18
"""Pixels that are interpolated at a time."""


def object_masks(
    boxes: Floats, coefficients: Floats, prototypes: Floats, image: PreparedImage, seen: Size
) -> list[Mask | None]:
    """The mask of each object of an image; None where it has no pixel.

    Args:
        boxes: `[objects, 4]`, x_min, y_min, x_max and y_max in pixels of the network's input; finite, as the others.
        coefficients: `[objects, prototypes]`.
        prototypes: `[prototypes, height, width]`.
        image: where what the network saw lies in it.
        seen: of the network's input.
    """
    pixels = np.zeros(image.size, np.bool_)
    masks: list[Mask | None] = []
    placed = in_image(boxes.reshape(-1, 2, 2), image).reshape(-1, 4).tolist()
    for (x_min, y_min, x_max, y_max), weights in zip(placed, coefficients, strict=True):
        rows = _Lines.of(y_min, y_max, 0, prototypes.shape[1], image, seen)
        columns = _Lines.of(x_min, x_max, 1, prototypes.shape[2], image, seen)
        inside = pixels[rows.pixels, columns.pixels]
        if inside.size:
            _fill(inside, weights, prototypes, rows, columns)
        masks.append(Mask.of(pixels) if inside.any() else None)
        inside[:] = False
    return masks


class _Lines(NamedTuple):
    """Neighbouring rows or columns of pixels of an image, and the prototypes' cells on both sides of each."""

    pixels: slice
    cells: slice
    """Those that are asked for."""
    before: NDArray[np.intp]
    """For each line of pixels, the cell whose centre comes before its own, counted from the first of `cells`."""
    after: NDArray[np.intp]
    shares: Floats
    """How far from the one to the other."""

    @classmethod
    def of(cls, least: float, most: float, axis: int, count: int, image: PreparedImage, seen: Size) -> _Lines:
        """The lines along an axis whose centres lie from `least` to below `most`, of `count` cells in all."""
        extent, place = image.size[axis], image.window
        resized, offset = ((place.resized_height, place.top), (place.resized_width, place.left))[axis]
        first = min(max(ceil(least - 0.5), 0), extent)
        pixels = slice(first, max(min(ceil(most - 0.5), extent), first))
        centres = (np.arange(pixels.start, pixels.stop) + 0.5) * (resized / extent) - offset
        cells = np.clip(centres * (count / seen[axis]) - 0.5, 0, count - 1)
        before = cells.astype(np.intp)
        after = np.minimum(before + 1, count - 1)
        begin = int(before[0]) if before.size else 0
        end = int(after[-1]) + 1 if after.size else 0
        return cls(pixels, slice(begin, end), before - begin, after - begin, (cells - before).astype(np.float32))


def _fill(inside: NDArray[np.bool_], weights: Floats, prototypes: Floats, rows: _Lines, columns: _Lines) -> None:
    """Whether the weighted sum of the prototypes is above 0, for each of some pixels."""
    # Not by a product of matrices, which takes all cores.
    cells = np.einsum("p,phw->hw", weights, prototypes[:, rows.cells, columns.cells])
    across = cells[:, columns.before] * (1 - columns.shares) + cells[:, columns.after] * columns.shares
    shares = rows.shares[:, np.newaxis]
    band = max(1, _BAND // inside.shape[1])
    for begin in range(0, len(inside), band):
        part = slice(begin, begin + band)
        logits = across[rows.before[part]] * (1 - shares[part]) + across[rows.after[part]] * shares[part]
        np.greater(logits, 0, out=inside[part])
