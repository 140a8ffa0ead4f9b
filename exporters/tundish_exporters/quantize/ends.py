"""The first and the last layers of a convolutional network, which recipes leave in float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import onnx

_PRODUCTS = frozenset({"Gemm", "MatMul"})
_FLOATS = _PRODUCTS | {"ReduceMean", "GlobalAveragePool"}
"""Operators that stay in float: averaged features are small beside their largest, so that 256 steps are too coarse for
them. A large head has its weights in int8 all the same, in blocks that round each input's own features."""
_BEFORE_LAYERS = frozenset({"Identity", "Cast", "Transpose", "Reshape", "Pad", "Add", "Sub", "Mul", "Div"})
"""What may stand between the network's input and its first layer: another layout, a normalisation."""
_LEAST_WEIGHTS = 256
"""Of a convolution that is a layer. One with fewer is arithmetic, such as the mean of a distribution over distances, by
which newer YOLO heads write an edge of a box."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Names of nodes."""

    floats: frozenset[str]
    """Those that stay in float: up to the first layer, and from the last ones on.

    What comes behind the last layers may be the arithmetic of boxes, whose edges 256 steps would put pixels apart, and
    in a tensor with scores leave these none."""
    heads: tuple[str, ...]
    """Of these the products that no other layer follows."""


def find_ends(graph: onnx.GraphProto) -> Ends:
    """Of a graph whose nodes have names."""
    sizes = {tensor.name: prod(tensor.dims) for tensor in graph.initializer}
    weights = set(sizes)
    early, late = ({tensor.name for tensor in tensors} for tensors in (graph.input, graph.output))
    floats = {node.name for node in graph.node if node.op_type in _FLOATS}
    for node in graph.node:  # a graph's nodes stand in the order in which they run
        if early & set(node.input):
            floats.add(node.name)
            if node.op_type in _BEFORE_LAYERS and set(node.input) <= early | weights:
                early |= set(node.output)
    heads: list[str] = []
    for node in reversed(graph.node):
        if late & set(node.output) and node.op_type != "Shape":
            floats.add(node.name)
            if node.op_type in _PRODUCTS:
                heads.insert(0, node.name)
            elif node.op_type not in _FLOATS and not _is_layer(node, sizes):
                late |= set(node.input)
    return Ends(frozenset(floats), tuple(heads))


def _is_layer(node: onnx.NodeProto, sizes: Mapping[str, int]) -> bool:
    return node.op_type in ("Conv", "ConvTranspose") and sizes.get(node.input[1], 0) >= _LEAST_WEIGHTS
