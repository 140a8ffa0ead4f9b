"""Pixels as the whole numbers that they were before they were normalised, for a first layer that reads integers.

An image's pixels are whole numbers, 256 of them; normalised, each channel has these on a grid of its own. One scale for
all channels fits none of the grids: pixels are rounded a second time, by up to half a step, and all over an area of one
shade the same. So each channel is rounded by its own grid, which loses nothing, and the layer's weights and bias make
up for the grids. Only what it takes for zeros beyond the border is not quite the zero of each channel any more: where
channels have means of their own, it is the whole number next to the mean of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tundish.engines import Arrays
from tundish_exporters.quantize.constants import add_constant, remove_unread

_STEPS = 255
_LEAST_VALUES = 64
"""That calibration inputs have in a channel, before they are taken for all that there can be between them."""
_MOST_OFF = 0.02
"""Of a step, that a value may be beside its grid."""
_NOISE = 0.001
"""Of a step, that arithmetic of 32 bits may be off by."""
_TIE = 0.01
"""Of a step, around the middle between two whole numbers, in which rounding is by chance."""
_MOST_APART = 32
"""Steps, that the zeros of channels may be apart, of which one is taken beyond the border; ImageNet's are 20."""
_LOOKED_AT = 16
"""Inputs, whose values are taken for those of all but for the lowest and the highest."""


@dataclass(frozen=True, slots=True)
class PixelGrid:
    """The values of channels in whole numbers from 0 to 255: `scales * (number - zeros)`."""

    scales: NDArray[np.float64]
    """`[channels]`."""
    zeros: NDArray[np.float64]
    """`[channels]`: where zero is, between 0 and 255; hardly ever a whole number."""

    @property
    def scale(self) -> float:
        """One for all channels, which what is left of each goes with into the weights."""
        return float(self.scales.mean())

    @property
    def zero(self) -> int:
        """The number that stands for zeros beyond the border."""
        return round(float(self.zeros.mean()))


def find_grid(inputs: Sequence[Arrays], name: str) -> PixelGrid | None:
    """That of a network's input `[1, channels, rows, columns]`, if all its channels have one."""
    found = [_grid(_values(inputs, name, channel)) for channel in range(inputs[0][name].shape[1])]
    grids = [grid for grid in found if grid is not None]
    if len(grids) < len(found):
        return None
    scales, zeros = np.array(grids).T
    return PixelGrid(scales, zeros) if np.ptp(zeros) <= _MOST_APART else None


def _values(inputs: Sequence[Arrays], name: str, channel: int) -> NDArray[np.float32]:
    """Sorted, each once."""
    extremes = [extreme(each[name][:, channel]) for each in inputs for extreme in (np.min, np.max)]
    some = inputs[:: -(-len(inputs) // _LOOKED_AT)]
    return np.unique(np.concatenate([extremes, *(np.unique(each[name][:, channel]) for each in some)]))


def _grid(values: NDArray[np.float32]) -> tuple[float, float] | None:
    """Scale and zero of a channel that has these values, sorted."""
    if not _LEAST_VALUES <= len(values) <= _STEPS + 1 or not np.isfinite(values).all():
        return None
    low, high = float(values[0]), float(values[-1])
    steps = round((high - low) / float(np.diff(values).min()))
    scale = (high - low) / steps
    numbers = (values - low) / scale
    if steps > _STEPS or np.abs(numbers - np.rint(numbers)).max() > _MOST_OFF:
        return None
    # How much darker and brighter than those of the calibration inputs pixels could be is not known. Zero is between.
    above_zero = low / scale
    least, most = max(0, ceil(above_zero - _NOISE)), min(_STEPS - steps, floor(_STEPS + above_zero + _NOISE))
    first = min(max((_STEPS - steps) // 2, least), most)
    return (scale, min(max(first - above_zero, 0.0), _STEPS)) if least <= most else None


@dataclass(frozen=True, slots=True)
class WholePixels:
    """What a float graph's first convolution reads, once `use_whole_pixels` has changed the graph."""

    grid: PixelGrid
    pixels: str
    """The network's input."""
    tensor: str
    """`[batch, channels, rows, columns]`, whose values lie on the one grid of `grid.scale` and `grid.zero`."""

    @property
    def range(self) -> tuple[np.float32, np.float32]:
        """The lowest and the highest value of the tensor."""
        low, high = ((number - self.grid.zero) * self.grid.scale for number in (0, _STEPS))
        return np.float32(low), np.float32(high)

    def finish(self, graph: onnx.GraphProto) -> None:
        """Has the rounding of the tensor, in Q/DQ form now, round each channel of the network's input by its own grid.

        Where pixels lie halfway between two whole numbers, seen from zero, they are moved before.
        """
        nodes = {node.name: node for node in graph.node}
        moving, scaling = nodes[f"{self.tensor}/move"], nodes[f"{self.tensor}/scale"]
        rounding = next(node for node in graph.node if self.tensor in node.input)
        moves = np.where(np.abs(self.grid.zeros % 1 - 0.5) < _TIE, 0.25, 0.0)
        zeros = np.rint(self.grid.zeros - moves).astype(np.uint8)
        del rounding.input[:], moving.input[:]
        rounding.input.append(self.pixels)
        rounding.input.append(add_constant(graph, f"{self.tensor}/scales", self.grid.scales.astype(np.float32)))
        rounding.input.append(add_constant(graph, f"{self.tensor}/zeros", zeros))
        rounding.attribute.append(helper.make_attribute("axis", 1))
        graph.node.remove(scaling)
        if moves.any():
            rounding.input[0] = self.tensor
            moved_by = _as_channels(moves * self.grid.scales)
            moving.input.extend([self.pixels, add_constant(graph, f"{self.tensor}/moves", moved_by)])
        else:
            graph.node.remove(moving)
        remove_unread(graph)


def use_whole_pixels(graph: onnx.GraphProto, convolution: onnx.NodeProto, grid: PixelGrid) -> WholePixels:
    """Changes a float graph, whose first convolution has weights and a bias of its own; see `with_biases`.

    But for what is beyond the border, it computes what it did.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    whole = WholePixels(grid, convolution.input[0], f"{convolution.input[0]}/whole")
    weights, bias = (numpy_helper.to_array(constants[name]) for name in convolution.input[1:])
    offsets = grid.scale * (grid.zeros - grid.zero)
    weights = weights * _as_channels(grid.scales / grid.scale)
    bias = bias - (weights * _as_channels(offsets)).sum((1, 2, 3))
    for name, array in zip(convolution.input[1:], (weights, bias), strict=True):
        constants[name].CopyFrom(numpy_helper.from_array(array.astype(np.float32), name))
    convolution.input[0], scaled = whole.tensor, f"{whole.tensor}/scaled"
    factors = add_constant(graph, f"{whole.tensor}/factors", _as_channels(grid.scale / grid.scales))
    added = add_constant(graph, f"{whole.tensor}/offsets", _as_channels(offsets))
    graph.node.insert(0, helper.make_node("Add", [scaled, added], [whole.tensor], name=f"{whole.tensor}/move"))
    graph.node.insert(0, helper.make_node("Mul", [whole.pixels, factors], [scaled], name=f"{whole.tensor}/scale"))
    graph.value_info.append(helper.make_tensor_value_info(whole.tensor, onnx.TensorProto.FLOAT, None))
    return whole


def _as_channels(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """`[1, channels, 1, 1]`."""
    return values.reshape(1, -1, 1, 1).astype(np.float32)
