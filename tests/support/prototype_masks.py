"""The mask of an object by its box and the sum of its prototypes, by PyTorch's interpolation of the whole image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[Any]


def expected_mask(
    box: list[float],
    logits: Array,
    place: Callable[[list[float]], list[float]],
    size: tuple[int, int],
    seen: tuple[int, int],
) -> tuple[Array, Array]:
    """The mask `[height, width]`, and the pixels of which rounding may decide.

    Args:
        box: corners in pixels of the network's input.
        logits: `[height, width]`, the sum of the prototypes.
        place: from corners in pixels of the network's input to those in pixels of the image.
        size: of the image.
        seen: of the network's input.
    """
    y, x = (np.arange(extent) + 0.5 for extent in size)
    x_min, y_min, x_max, y_max = place(box)
    inside = ((y >= y_min) & (y < y_max))[:, np.newaxis] & ((x >= x_min) & (x < x_max))
    near_y, near_x = (
        np.minimum(np.abs(line - least), np.abs(line - most)) < 1e-3
        for line, least, most in ((y, y_min, y_max), (x, x_min, x_max))
    )
    left, top, right, bottom = place([0, 0, seen[1], seen[0]])
    values = _sampled(logits, (x - left) / (right - left), (y - top) / (bottom - top))
    return inside & (values > 0), (np.abs(values) < 1e-4) | near_y[:, np.newaxis] | near_x


def _sampled(logits: Array, x: Array, y: Array) -> Array:
    """`[y, x]`, at places that are shares of the whole."""
    grid = np.stack(np.broadcast_arrays(x[np.newaxis], y[:, np.newaxis]), axis=2) * 2 - 1
    planes = torch.from_numpy(logits.astype(np.float64))[None, None]
    return torch.nn.functional.grid_sample(
        planes, torch.from_numpy(grid)[None], padding_mode="border", align_corners=False
    )[0, 0].numpy()
