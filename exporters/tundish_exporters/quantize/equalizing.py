"""Evens out the channels between two convolutions, so that each has more of a tensor's steps.

One scale serves all channels of a tensor, and a channel that is never large has few steps of it. A rectifier lets
factors above zero through: so a convolution's outputs are made larger, channel by channel, and the weights that read
them smaller by as much. Source: Nagel, van Baalen, Blankevoort and Welling, "Data-Free Quantization Through Weight
Equalization and Bias Correction", 2019, section 4.1; the factors are those of activations on the calibration inputs, as
in Meller, Finkelstein, Almog and Grobman, "Same, Same But Different", 2019.

This is done where the rectifier cuts off, as ReLU6 does: no channel has a use for more than that, and none comes to
determine the range. Without a limit the largest values of an input come to lie in another channel each time, and the
range grows; that was better and worse by a few hundredths of the error (docs/decisions/2026-11-26-recipes.md).

How far a channel may go depends on who reads it. A filter that reads several channels shares one scale between their
weights, which grow uneven; one that reads a single channel loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from tundish.engines import Arrays
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.channel_scaling import ChannelScaling
from tundish_exporters.quantize.observing import calibration_inputs, observed

_MOST = 4.0
"""By how much a channel is made larger: beyond, what the calibration inputs happen not to have is cut off."""
_MOST_ALONE = 16.0
"""The same where each filter reads one channel."""


def equalize(path: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
    """Changes weights and biases in the file of a graph, which answers as before where it is like the calibration data.

    A channel is made larger until its largest value on these is the rectifier's limit. Tensors and nodes keep their
    names.

    Raises:
        ExportError: there are no calibration inputs.
    """
    model = onnx.load(path)
    scaling = ChannelScaling(model.graph)
    pairs = _pairs(model.graph, scaling)
    if not pairs:
        return
    tensors, largest = [pair.between for pair in pairs], [np.zeros(1, np.float32)] * len(pairs)
    inputs = calibration_inputs(calibration)
    for values in observed(model, tensors, inputs, "even channels out", progress, fused=True):
        of_input = [value.max(axis=(0, *range(2, value.ndim))) for value in values]
        largest = [np.maximum(*both) for both in zip(largest, of_input, strict=True)]
    for pair, of_channels in zip(pairs, largest, strict=True):
        most = _MOST_ALONE if scaling.weights(pair.second).shape[1] == 1 else _MOST
        factors = (pair.limit / of_channels.clip(pair.limit / most, pair.limit)).astype(np.float32)
        scaling.scale_outputs(pair.first, factors)
        scaling.scale_inputs(pair.second, factors)
    onnx.save(model, path)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two convolutions with nothing but a rectifier between them."""

    first: onnx.NodeProto
    between: str
    """The tensor that the rectifier makes, `[inputs, channels, *places]`, from zero to its limit."""
    limit: float
    second: onnx.NodeProto


def _pairs(graph: onnx.GraphProto, scaling: ChannelScaling) -> list[_Pair]:
    pairs = []
    for second in graph.node:
        rectifier = scaling.makers.get(second.input[0]) if scaling.can_scale(second) else None
        limit = _limit(rectifier, scaling) if rectifier is not None else None
        if rectifier is None or limit is None:
            continue
        first = scaling.makers.get(rectifier.input[0])
        between = (rectifier.input[0], rectifier.output[0])
        if first is not None and scaling.can_scale(first) and all(scaling.readers[name] == 1 for name in between):
            pairs.append(_Pair(first, rectifier.output[0], limit, second))
    return pairs


def _limit(node: onnx.NodeProto, scaling: ChannelScaling) -> float | None:
    """Where a rectifier cuts off; None of a node that is none, or that has no limit."""
    if node.op_type != "Clip" or len(node.input) != 3 or not {*node.input[1:]} <= {*scaling.constants}:
        return None
    low, high = (float(numpy_helper.to_array(scaling.constants[name])) for name in node.input[1:])
    return high if low == 0 < high else None
