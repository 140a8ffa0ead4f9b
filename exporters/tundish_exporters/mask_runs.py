"""How much two masks have in common, counted on runs of pixels: many pairs of large masks are compared."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tundish.masks import Mask


class Runs(NamedTuple):
    """A mask's pixels, column by column, as where runs of them begin and end."""

    bounds: NDArray[np.float64]
    """`[2 * runs]`, ascending: begin and end of each."""
    before: NDArray[np.float64]
    """`[2 * runs]`, how many of the mask's pixels lie before each bound."""

    @property
    def area(self) -> int:
        """How many pixels there are."""
        return int(self.before[-1]) if self.before.size else 0


def runs_of(mask: Mask) -> Runs:
    """The mask's runs; raises ValueError if its counts are not of its size."""
    pixels = mask.to_array().ravel(order="F")
    bounds = np.flatnonzero(np.diff(pixels, prepend=False, append=False))
    lengths = np.diff(bounds)
    lengths[1::2] = 0  # from the end of a run to the next one's begin
    return Runs(bounds.astype(np.float64), np.concatenate([np.zeros(min(bounds.size, 1)), np.cumsum(lengths)]))


def common_pixels(first: Runs, second: Runs) -> int:
    """How many pixels two masks of one size have in common."""
    if not first.area or not second.area:
        return 0
    # Along a run of the second, the count of the first's pixels grows only where those are.
    counts = np.interp(second.bounds, first.bounds, first.before)
    return int((counts[1::2] - counts[::2]).sum())


def mask_overlap(first: Runs, second: Runs) -> float:
    """Intersection over union of two masks of one size; 1 if both are empty."""
    common = common_pixels(first, second)
    union = first.area + second.area - common
    return common / union if union else 1.0
