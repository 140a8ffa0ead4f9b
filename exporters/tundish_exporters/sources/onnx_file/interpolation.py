"""Bilinear interpolation along one side of a map, as a matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shares(cells: NDArray[np.floating], count: int) -> NDArray[np.float32]:
    """`[places, count]`: how much each cell of a row counts at each place.

    A cell's share falls to nothing at its neighbours' centres; beyond the last ones these go on. A place is given in
    cells, whose centres are whole numbers.
    """
    distances = np.abs(np.clip(cells, 0, count - 1)[:, np.newaxis] - np.arange(count))
    weights: NDArray[np.float32] = np.maximum(1 - distances, 0).astype(np.float32)
    return weights
