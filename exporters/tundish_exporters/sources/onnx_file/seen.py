"""What a detector answers to a few images, and what its numbers can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish_exporters.detector_hints import DetectorHints

Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a network answers to a few images, and what is known of it."""

    answers: Sequence[Arrays]
    labels: int
    size: tuple[int, int]
    hints: DetectorHints
    more: int = 0
    """How many numbers stand behind those of the labels, such as YOLO's of masks or key points."""
    oriented: bool | None = None
    """Whether these are one, the angle of a box; None if nobody says."""

    @property
    def outputs(self) -> list[tuple[str, Array]]:
        """Of the first image."""
        return list(self.answers[0].items())

    def all_rows(self, output: str, columns: int) -> NDArray[np.float64]:
        """`[rows, columns]` of all images."""
        return np.concatenate([answer[output].reshape(-1, columns) for answer in self.answers]).astype(np.float64)


def is_whole(row: Array) -> bool:
    """Whether all numbers are whole ones."""
    return bool(np.isfinite(row).all() and (row == np.floor(row)).all())


def are_classes(numbers: NDArray[np.float64], labels: int) -> bool:
    """Whether they may be indices of labels, also of rows that stand for nothing, or of a background beside them."""
    return is_whole(numbers) and bool(((numbers >= -1) & (numbers <= labels)).all())


def are_scores(numbers: NDArray[np.floating]) -> bool:
    """Whether all lie between 0 and 1."""
    return bool(((numbers >= 0) & (numbers <= 1)).all())


def are_angles(numbers: NDArray[np.floating]) -> bool:
    """Whether they may be radians."""
    return bool((np.abs(numbers) <= 2 * np.pi).all())


def are_corners(boxes: NDArray[np.float64]) -> bool:
    """Whether the second two of `[rows, 4]` are nowhere before the first two."""
    return bool((boxes[:, 2:] >= boxes[:, :2]).all())
