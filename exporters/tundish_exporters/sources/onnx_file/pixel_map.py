"""Outputs that say of each pixel what it shows: scores of labels, of one label, or the index of a label.

| network | output |
|---|---|
| SegFormer, DeepLab, U-Net | `[batch, labels, height, width]`, or channels last; logits or shares |
| U-Net of one label, U²-Net, matting | `[batch, 1, height, width]`, or channels last: of this label or the background |
| any with its argmax inside | `[batch, height, width]` of integers, perhaps with a dimension of one |

A map may be smaller than the network's input, but lies over all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish_exporters.sources.onnx_file.ending_nodes import EndingNodes
from tundish_exporters.sources.onnx_file.graph import Ending
from tundish_exporters.sources.onnx_file.interpolation import shares

Floats = NDArray[np.float32]
Kind = Literal["scores", "logit", "share", "indices"]

LOGITS, INDICES = "logits", "indices"
"""The names under which maps are served; see `SemanticPostprocess` and `PixelIndexPostprocess`."""

_ALIGNED = "half_pixel"
_HALF = 0.5
"""The share from which on a pixel has the one label."""


@dataclass(frozen=True, slots=True)
class PixelMap:
    """How an output is read."""

    output: str
    kind: Kind
    """`logit` and `share` are of the one label that there is beside the background."""
    axis: int | None
    """Which dimension is that of the labels; None if there is none."""
    size: tuple[int, int] | None = None
    """Height and width that logits are enlarged to; None leaves them as they are."""

    def read(self, answer: Arrays) -> dict[str, Floats]:
        """`logits` `[batch, labels, height, width]`, or `indices` `[batch, height, width]`."""
        array = answer[self.output].astype(np.float32)
        if self.kind == "indices":
            return {INDICES: array if self.axis is None else array.squeeze(self.axis)}
        assert self.axis is not None  # of all other maps
        array = self._enlarged(np.ascontiguousarray(np.moveaxis(array, self.axis, 1)))
        if self.kind == "scores":
            return {LOGITS: array}
        array = array if self.kind == "logit" else array - np.float32(_HALF)
        return {LOGITS: np.concatenate([-array, array], axis=1)}

    def ending(self, answer: Arrays, integers: Iterable[str]) -> Ending:
        """What reads it in the graph.

        Args:
            answer: of the network to an image, for the shapes.
            integers: the outputs that are no FP32.
        """
        nodes = EndingNodes(integers)
        tensor = nodes.as_floats(self.output)
        if self.kind == "indices":
            if self.axis is not None:
                tensor = nodes.add("Squeeze", tensor, nodes.constant(np.array([self.axis])))
        else:
            if self.axis == 3:
                tensor = nodes.add("Transpose", tensor, perm=[0, 3, 1, 2])
            if factors := self._factors(answer):
                scales = nodes.constant(np.array([1, 1, *factors], np.float32))
                tensor = nodes.add("Resize", tensor, "", scales, mode="linear", coordinate_transformation_mode=_ALIGNED)
            if self.kind == "share":
                tensor = nodes.add("Sub", tensor, nodes.constant(np.array(_HALF, np.float32)))
            if self.kind != "scores":
                tensor = nodes.add("Concat", nodes.add("Neg", tensor), tensor, axis=1)
        ((name, array),) = self.read(answer).items()
        return nodes.ending({name: tensor}, {name: array.shape[1:]})

    def _enlarged(self, array: Floats) -> Floats:
        """`[batch, labels, height, width]` at the size that is asked for, bilinear, centres aligned."""
        if self.size in (None, array.shape[2:]):
            return array
        rows, columns = (
            shares((np.arange(pixels) + 0.5) / pixels * count - 0.5, count)
            for pixels, count in zip(self.size, array.shape[2:], strict=True)
        )
        return np.asarray(rows @ array @ columns.T, np.float32)

    def _factors(self, answer: Arrays) -> list[np.float32]:
        """By which height and width grow in the graph; none if they stay."""
        assert self.axis is not None  # of logits
        _, _, *cells = np.moveaxis(answer[self.output], self.axis, 1).shape
        if self.size in (None, tuple(cells)):
            return []
        return [_factor(count, pixels) for count, pixels in zip(cells, self.size, strict=True)]


def _factor(count: int, pixels: int) -> np.float32:
    """The least by which so many cells become so many pixels, as ONNX cuts what float32 makes of them."""
    factor = np.float32(pixels / count)
    while np.floor(np.float32(count) * factor) < pixels:
        factor = np.nextafter(factor, np.float32(np.inf))
    return factor


def find_map(answer: Arrays, labels: int, *, channels_last: bool) -> PixelMap | None:
    """The first output that says something of each pixel of an image, for so many labels; None if there is none.

    Args:
        answer: to one image.
        labels: how many there are; one, or two with the background, may share a map of one number a pixel.
        channels_last: where labels are looked for first.
    """
    for name, array in answer.items():
        if array.ndim not in (3, 4) or len(array) != 1:
            continue
        axes = () if array.ndim == 3 else (3, 1) if channels_last else (1, 3)
        of_one = next((axis for axis in axes if array.shape[axis] == 1), None)
        if array.dtype.kind in "iub":
            if array.ndim == 3 or of_one is not None:
                return PixelMap(name, "indices", of_one)
            continue
        of_labels = next((axis for axis in axes if array.shape[axis] == labels), None)
        if of_labels is not None and labels > 1:
            return PixelMap(name, "scores", of_labels)
        if of_one is not None and labels in (1, 2):
            return PixelMap(name, "logit", of_one)
    return None
