"""SmoothQuant: moves the outliers of activations into the weights that multiply them, where they do no harm.

Source: Xiao et al., "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models", 2023,
equation 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tundish.engines import Arrays
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.constants import add_constant
from tundish_exporters.quantize.observing import observed

_LEAST = np.float32(1e-5)
"""Of a magnitude, so that channels that are never used stay numbers."""

_PRODUCTS = ("MatMul", "Attention")
"""Operators whose second input is a matrix of weights that multiplies the first."""

Group = Sequence[onnx.NodeProto]


def smooth(
    prepared: Path,
    destination: Path,
    inputs: Sequence[Arrays],
    progress: Progress,
    *,
    strength: float,
    kept: frozenset[str],
) -> None:
    """Writes a graph that computes the same, in which what matrix products read has no outlying channels.

    A channel that such a tensor has is divided by `magnitude ** strength / weight ** (1 - strength)`, and the weights
    that multiply it are multiplied by that: magnitude and weight are the largest on the inputs and of the products that
    read the tensor. Nodes keep their names; one that divides comes before the products, whose inputs others read, too.
    The nodes in `kept` and what they read are left as they are.
    """
    model = onnx.load(prepared)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    groups = _groups(model.graph, weights, kept)
    largest = {name: np.zeros(weights[group[0].input[1]].dims[0], np.float32) for name, group in groups.items()}
    for values in observed(model, list(groups), inputs, "smooth", progress):
        for name, value in zip(groups, values, strict=True):
            magnitudes = np.abs(value.reshape(-1, value.shape[-1])).max(0, initial=0.0)
            largest[name] = np.maximum(largest[name], magnitudes)
    dividing = {
        group[0].name: _divide(model.graph, weights, name, group, largest[name], strength)
        for name, group in groups.items()
    }
    nodes = [node for each in model.graph.node for node in (*filter(None, [dividing.get(each.name)]), each)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, destination)


def _groups(
    graph: onnx.GraphProto, weights: Mapping[str, onnx.TensorProto], kept: frozenset[str]
) -> dict[str, list[onnx.NodeProto]]:
    """The products by a matrix of weights that nothing else reads, by the tensor that they multiply."""
    readers: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    groups: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        if node.op_type not in _PRODUCTS or node.name in kept or node.input[0] in weights:
            continue
        weight = weights.get(node.input[1])
        if weight is not None and len(weight.dims) == 2 and readers[node.input[1]] == 1:
            groups.setdefault(node.input[0], []).append(node)
    return groups


def _divide(
    graph: onnx.GraphProto,
    weights: Mapping[str, onnx.TensorProto],
    tensor: str,
    group: Group,
    largest: NDArray[np.float32],
    strength: float,
) -> onnx.NodeProto:
    """Multiplies the group's weights, has the group read the divided tensor, and returns the node that divides."""
    matrices = [numpy_helper.to_array(weights[node.input[1]]) for node in group]
    rows = np.max([np.abs(matrix).max(1) for matrix in matrices], axis=0)
    factors = np.maximum(largest, _LEAST) ** strength / np.maximum(rows, _LEAST) ** (1 - strength)
    inverse, divided = f"{tensor}_smoothing", f"{tensor}_smoothed"
    add_constant(graph, inverse, (1 / factors).astype(np.float32))
    for node, matrix in zip(group, matrices, strict=True):
        scaled = (matrix * factors[:, None]).astype(np.float32)
        weights[node.input[1]].CopyFrom(numpy_helper.from_array(scaled, node.input[1]))
        node.input[0] = divided
    return helper.make_node("Mul", [tensor, inverse], [divided], name=f"{divided}_Mul")
