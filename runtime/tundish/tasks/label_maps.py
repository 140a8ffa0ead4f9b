"""From the logits of an image's pixels, or the indices of their labels, to one segment for each label that there is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tundish.masks import Mask
from tundish.results import Segment
from tundish_kernels import Window, upsample_argmax

_BLOCK = 2**20
"""Pixels that are counted at a time, each as an integer of eight bytes."""


Size = tuple[int, int]
"""Height and width."""


def label_segments(logits: NDArray[np.float32], labels: Sequence[str], size: Size) -> tuple[Segment, ...]:
    """The segments of an image in the order of the labels; logits are `[labels, height, width]`, of any size."""
    return _segments(best_of(logits, size), labels)


def index_segments(
    indices: NDArray[np.float32], labels: Sequence[str], size: Size, place: Window, seen: Size
) -> tuple[Segment, ...]:
    """As `label_segments`, of the nearest of indices; one that is no label's has no segment.

    Args:
        indices: `[height, width]`, over all of the network's input.
        labels: what they stand for.
        size: of the image.
        place: where the network's input lies in the resized image, all of which it holds.
        seen: of the network's input.
    """
    whole = np.where((indices >= 0) & (indices < len(labels)), indices, len(labels)).astype(np.int32)
    resized, offsets = (place.resized_height, place.resized_width), (place.top, place.left)
    rows, columns = (
        # In whole numbers: halves of a pixel of the image, in which its centre is one.
        ((2 * np.arange(pixels) + 1) * extent - 2 * pixels * offset) * count // (2 * pixels * edge)
        for pixels, extent, offset, count, edge in zip(size, resized, offsets, whole.shape, seen, strict=True)
    )
    return _segments(whole[rows[:, np.newaxis], columns], labels)


def _segments(indices: NDArray[np.uint8] | NDArray[np.int32], labels: Sequence[str]) -> tuple[Segment, ...]:
    """Of indices up to the number of the labels, which is no label's."""
    present = _present(indices, len(labels) + 1)
    return tuple(Segment(labels[index], None, Mask.of(indices == index)) for index in present if index < len(labels))


def best_of(logits: NDArray[np.float32], size: Size) -> NDArray[np.uint8] | NDArray[np.int32]:
    """Of `[count, height, width]`, the index of the greatest at each pixel of an image of this size."""
    dtype: DTypeLike = np.uint8 if len(logits) <= 2**8 else np.int32
    best: NDArray[np.uint8] | NDArray[np.int32] = upsample_argmax(
        np.ascontiguousarray(logits[np.newaxis]), size, dtype=dtype
    )[0]
    return best


def _present(indices: NDArray[np.uint8] | NDArray[np.int32], count: int) -> list[int]:
    """Which of `count` indices there are, in their order."""
    pixels = indices.ravel()
    counts = np.zeros(count, np.int64)
    for start in range(0, pixels.size, _BLOCK):
        counts += np.bincount(pixels[start : start + _BLOCK], minlength=count)
    return np.flatnonzero(counts).tolist()
