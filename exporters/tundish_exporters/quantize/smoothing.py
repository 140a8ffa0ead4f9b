"""SmoothQuant: moves the outliers of activations into the weights that multiply them, where they do no harm.

Source: Xiao et al., "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models", 2023,
equation 4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tundish.engines import Arrays
from tundish_exporters.inner_graphs import names_read
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.constants import add_constant
from tundish_exporters.quantize.observing import calibration_inputs, observed

_LEAST = np.float32(1e-5)
"""Of a magnitude, so that channels that are never used stay numbers."""

_PRODUCTS = ("MatMul", "Attention")
"""Operators whose second input is a matrix of weights that multiplies the first."""

_SCALING = ("LayerNormalization", "Attention")
"""Operators whose second and third input have an element, or a column, for each channel of the output, in their order
and last: an attention's values come behind its queries and keys, and each channel of its output is an average of
values."""

_SMOOTHED = "_smoothed"
"""Behind the name of a tensor that a node of its own divides."""

Group = Sequence[onnx.NodeProto]
Channels = NDArray[np.float32]


def smooth(path: Path, calibration: Sequence[Arrays], progress: Progress, *, strength: float) -> None:
    """Changes a graph in its file, so that what matrix products read has no outlying channels; it answers as before.

    A channel that such a tensor has is divided by `magnitude ** strength / weight ** (1 - strength)`, and the weights
    that multiply it are multiplied by that: magnitude and weight are the largest on the inputs and of the products that
    read the tensor. What makes the tensor divides it if it can, and a node of its own otherwise. Nodes keep their
    names.

    Raises:
        ExportError: there are no calibration inputs.
    """
    model = onnx.load(path)
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    readers = Counter(names_read(graph))
    groups = _groups(graph, weights, readers)
    largest = {name: np.zeros(weights[group[0].input[1]].dims[0], np.float32) for name, group in groups.items()}
    for values in observed(model, list(groups), calibration_inputs(calibration), "smooth", progress):
        for name, value in zip(groups, values, strict=True):
            magnitudes = np.abs(value.reshape(-1, value.shape[-1])).max(0, initial=0.0)
            largest[name] = np.maximum(largest[name], magnitudes)
    factors = {name: _factors(weights, group, largest[name], strength) for name, group in groups.items()}
    makers = {name: node for node in graph.node for name in node.output[:1]}
    dividing: dict[str, onnx.NodeProto] = {}
    for name, group in groups.items():
        for node in group:
            _scale(weights[node.input[1]], factors[name][:, None])
        is_read_elsewhere = readers[name] > len(group)
        if is_read_elsewhere or not _divided_by(makers.get(name), weights, readers, factors[name]):
            dividing[group[0].name] = _divide(graph, name, group, factors[name])
    nodes = [node for each in graph.node for node in (*filter(None, [dividing.get(each.name)]), each)]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, path)


def divides(node: onnx.NodeProto) -> bool:
    """Whether a node was put there to divide channels: its second input is what each is multiplied by."""
    return node.op_type == "Mul" and node.output[0].endswith(_SMOOTHED)


def _groups(
    graph: onnx.GraphProto, weights: Mapping[str, onnx.TensorProto], readers: Mapping[str, int]
) -> dict[str, list[onnx.NodeProto]]:
    """The products by a matrix of weights that nothing else reads, by the tensor that they multiply."""
    groups: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        if node.op_type not in _PRODUCTS or node.input[0] in weights:
            continue
        weight = weights.get(node.input[1])
        if weight is not None and len(weight.dims) == 2 and readers[node.input[1]] == 1:
            groups.setdefault(node.input[0], []).append(node)
    return groups


def _factors(weights: Mapping[str, onnx.TensorProto], group: Group, largest: Channels, strength: float) -> Channels:
    """What each channel of a group's tensor is divided by."""
    matrices = [numpy_helper.to_array(weights[node.input[1]]) for node in group]
    rows = np.max([np.abs(matrix).max(1) for matrix in matrices], axis=0)
    factors: Channels = np.maximum(largest, _LEAST) ** strength / np.maximum(rows, _LEAST) ** (1 - strength)
    return factors.astype(np.float32)


def _divided_by(
    maker: onnx.NodeProto | None,
    weights: Mapping[str, onnx.TensorProto],
    readers: Mapping[str, int],
    factors: Channels,
) -> bool:
    """Has the node that makes a tensor divide its channels, if it has weights of its own for each of them."""
    if maker is None or maker.op_type not in _SCALING or len(maker.output) > 1:  # which would be scaled, too
        return False
    own = [name for name in maker.input[1:3] if name]
    if any(name not in weights or readers[name] > 1 for name in own):
        return False
    for name in own:
        divisors = np.ones(weights[name].dims[-1], np.float32)
        divisors[-len(factors) :] = factors
        _scale(weights[name], np.reciprocal(divisors))
    return True


def _divide(graph: onnx.GraphProto, tensor: str, group: Group, factors: Channels) -> onnx.NodeProto:
    """Has the group read the divided tensor, and returns the node that divides."""
    inverse, divided = f"{tensor}_smoothing", f"{tensor}{_SMOOTHED}"
    add_constant(graph, inverse, np.reciprocal(factors))
    for node in group:
        node.input[0] = divided
    return helper.make_node("Mul", [tensor, inverse], [divided], name=f"{divided}_Mul")


def _scale(tensor: onnx.TensorProto, factors: Channels) -> None:
    scaled = (numpy_helper.to_array(tensor) * factors).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(scaled, tensor.name))
