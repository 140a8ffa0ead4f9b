"""Evens out the channels between two convolutions, so that each has more of a tensor's steps.

One scale serves all channels of a tensor, and a channel that is never large has few steps of it. A rectifier lets
factors above zero through: so a convolution's outputs are made larger, channel by channel, and the weights that read
them smaller by as much. Source: Nagel, van Baalen, Blankevoort and Welling, "Data-Free Quantization Through Weight
Equalization and Bias Correction", 2019, section 4.1; the factors are those of activations on the calibration inputs, as
in Meller, Finkelstein, Almog and Grobman, "Same, Same But Different", 2019.

This is done where the rectifier cuts off, as ReLU6 does: no channel has a use for more than that, and none comes to
determine the range. Without a limit the largest values of an input come to lie in another channel each time, and the
range grows; that was better and worse by a few hundredths of the error (docs/decisions/2026-11-26-recipes.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from tundish.engines import Arrays
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.nodes import attributes_of, bias_of
from tundish_exporters.quantize.observing import calibration_inputs, observed

_MOST = 4.0
"""By how much a channel is made larger: beyond, what the calibration inputs happen not to have is cut off."""


def equalize(path: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
    """Changes weights and biases in the file of a graph, which answers as before where it is like the calibration data.

    A channel is made larger until its largest value on these is the rectifier's limit. Tensors and nodes keep their
    names.

    Raises:
        ExportError: there are no calibration inputs.
    """
    model = onnx.load(path)
    pairs = _pairs(model.graph)
    if not pairs:
        return
    tensors, largest = [pair.between for pair in pairs], [np.zeros(1, np.float32)] * len(pairs)
    inputs = calibration_inputs(calibration)
    for values in observed(model, tensors, inputs, "even channels out", progress, fused=True):
        of_input = [value.max(axis=(0, *range(2, value.ndim))) for value in values]
        largest = [np.maximum(*both) for both in zip(largest, of_input, strict=True)]
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for pair, of_channels in zip(pairs, largest, strict=True):
        pair.scale(weights, (pair.limit / of_channels.clip(pair.limit / _MOST, pair.limit)).astype(np.float32))
    onnx.save(model, path)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two convolutions with nothing but a rectifier between them, whose constants no other node reads."""

    first: onnx.NodeProto
    between: str
    """The tensor that the rectifier makes, `[inputs, channels, *places]`, from zero to its limit."""
    limit: float
    second: onnx.NodeProto

    def scale(self, weights: Mapping[str, onnx.TensorProto], factors: NDArray[np.float32]) -> None:
        """Multiplies the channels between the two by factors `[channels]`, and nothing else that they compute."""
        for name in filter(None, (self.first.input[1], bias_of(self.first))):
            array = numpy_helper.to_array(weights[name])
            _set(weights[name], array * factors.reshape(-1, *[1] * (array.ndim - 1)))
        tensor, groups = weights[self.second.input[1]], attributes_of(self.second).get("group", 1)
        array = numpy_helper.to_array(tensor)
        by_group = array.reshape(groups, array.shape[0] // groups, array.shape[1], -1)
        _set(tensor, (by_group / factors.reshape(groups, 1, -1, 1)).reshape(array.shape))


def _set(tensor: onnx.TensorProto, array: NDArray[np.floating]) -> None:
    tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float32, copy=False), tensor.name))


def _pairs(graph: onnx.GraphProto) -> list[_Pair]:
    constants = {tensor.name: tensor for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    readers = Counter(name for node in graph.node for name in node.input)
    readers.update(output.name for output in graph.output)

    def is_own(node: onnx.NodeProto) -> bool:
        """Whether this is a convolution with constants of its own."""
        return node.op_type == "Conv" and all(name in constants and readers[name] == 1 for name in node.input[1:])

    pairs = []
    for second in graph.node:
        rectifier = makers.get(second.input[0]) if is_own(second) else None
        limit = _limit(rectifier, constants) if rectifier is not None else None
        if rectifier is None or limit is None:
            continue
        first = makers.get(rectifier.input[0])
        if first is not None and is_own(first) and readers[rectifier.input[0]] == readers[rectifier.output[0]] == 1:
            pairs.append(_Pair(first, rectifier.output[0], limit, second))
    return pairs


def _limit(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> float | None:
    """Where a rectifier cuts off; None of a node that is none, or that has no limit."""
    if node.op_type != "Clip" or len(node.input) != 3 or not {*node.input[1:]} <= {*constants}:
        return None
    low, high = (float(numpy_helper.to_array(constants[name])) for name in node.input[1:])
    return high if low == 0 < high else None
