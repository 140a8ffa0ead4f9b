"""Evens out the channels of sums of convolutions, so that each has more of a tensor's steps.

Between convolutions with no rectifier, and through the sums that go around them, a channel may be in any unit, if all
that make it and all that read it agree: they are a *stream*, such as the narrow tensors around inverted residual
blocks. A few wide channels decide the steps of all. So a wide channel is made smaller, and the weights that read it
larger; these grow uneven, and it is done by a part of what would make all channels equal. Sources of the two ideas:
Nagel, van Baalen, Blankevoort and Welling, "Data-Free Quantization Through Weight Equalization and Bias Correction",
2019, section 4.1, and Xiao et al., "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language
Models", 2023, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from tundish.engines import Arrays
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.channel_scaling import Channels, ChannelScaling
from tundish_exporters.quantize.observing import calibration_inputs, observed

_STRENGTH = 0.7
"""From 0, nothing, to 1, all channels equal; the figures: docs/decisions/2026-11-28-nearer-integers.md."""
_LEAST = 1e-3
"""Of a channel's width beside the widest: one that is hardly used does not become all that its readers' weights are."""


def even_streams(path: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
    """Changes weights and biases in the file of a graph, which answers as before; tensors and nodes keep their names.

    Raises:
        ExportError: there are no calibration inputs.
    """
    model = onnx.load(path)
    scaling = ChannelScaling(model.graph)
    streams = _streams(model.graph, scaling)
    if not streams:
        return
    tensors = [name for stream in streams for name in stream.tensors]
    widths: dict[str, list[Channels]] = {name: [] for name in tensors}
    for values in observed(model, tensors, calibration_inputs(calibration), "even sums out", progress, fused=True):
        for name, value in zip(tensors, values, strict=True):
            axes = (0, *range(2, value.ndim))
            widths[name].append(value.max(axis=axes, initial=0.0) - value.min(axis=axes, initial=0.0))
    for stream in streams:
        of_widest = np.max([np.mean(widths[name], 0) for name in stream.tensors], 0)
        factors = _factors(of_widest)
        for maker in stream.makers:
            scaling.scale_outputs(maker, factors)
        for reader in stream.readers:
            scaling.scale_inputs(reader, factors)
    onnx.save(model, path)


def _factors(widths: Channels) -> Channels:
    """By what channels of such widths are multiplied; the widest stays as it is."""
    shares = np.maximum(widths / (widths.max() or 1), _LEAST)
    factors: Channels = (shares**-_STRENGTH).astype(np.float32)
    return factors


@dataclass(slots=True)
class _Stream:
    """Tensors that sums hold together, `[inputs, channels, *places]` each."""

    tensors: list[str]
    makers: list[onnx.NodeProto]
    """Convolutions, as are the readers."""
    readers: list[onnx.NodeProto]


def _streams(graph: onnx.GraphProto, scaling: ChannelScaling) -> list[_Stream]:
    """Those that convolutions with constants of their own make and read, and nothing else."""
    streams: dict[str, _Stream] = {}
    reads: dict[str, int] = {}
    for node in graph.node:  # in the order in which they run
        if node.op_type == "Add" and all(name in streams for name in node.input):
            one, other = (streams[name] for name in node.input)
            if one is not other:
                one = _Stream(one.tensors + other.tensors, one.makers + other.makers, one.readers + other.readers)
            one.tensors.append(node.output[0])
            streams |= dict.fromkeys(one.tensors, one)
            inside = list(node.input)
        elif scaling.can_scale(node):
            streams[node.output[0]] = _Stream([node.output[0]], [node], [])
            inside = [node.input[0]]
            if node.input[0] in streams:
                streams[node.input[0]].readers.append(node)
        else:
            continue
        for name in inside:
            reads[name] = reads.get(name, 0) + 1
    found = {id(stream): stream for stream in streams.values()}.values()
    return [
        stream
        for stream in found
        if stream.readers
        and all(scaling.readers[name] == reads.get(name) for name in stream.tensors)
        and len({len(scaling.weights(maker)) for maker in stream.makers}) == 1
    ]
