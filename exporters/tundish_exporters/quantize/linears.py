"""Transformers' layers in integers by tundish's own kernels, for which ONNX Runtime loads a library of operators.

ONNX Runtime rounds what a layer reads for the whole batch at once, by a node, multiplies, and leaves the activation,
the sum with what went around the layer and its normalisation to nodes behind. The kernels round each token by its own
range, and do the rest while the sums are in registers; attention reads its queries, keys and values where they lie.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tundish_exporters.inner_graphs import names_read
from tundish_exporters.quantize.constants import add_constant, remove_unread
from tundish_exporters.quantize.kernels import DOMAIN
from tundish_exporters.quantize.nodes import attributes_of, bias_of, is_plain, is_turned
from tundish_exporters.quantize.smoothing import divides

_VERSION = 1
_LINEAR, _LINEAR_NORM, _ATTENTION = "QuantizedLinear", "QuantizedLinearNorm", "SelfAttention"
_EMBEDDINGS = "EmbedLayerNormalization"
_MASK_INPUT, _MASK_OUTPUT = 7, 1
"""Of that: the mask, and how many tokens of each text it leaves, if they come first."""
_NORMALISED = ("LayerNormalization", _EMBEDDINGS)
"""Whose output has as many dimensions as what is added to it, and not fewer."""
_MOST_INPUTS = 2**16

_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Normalisation:
    other: str
    """What is added before."""
    gamma: _Floats
    beta: _Floats
    epsilon: float


@dataclass(slots=True)
class _Linear:
    """A product by constant weights, and what follows it that its kernel does, too."""

    nodes: list[onnx.NodeProto]
    read: str
    weights: _Floats
    """[inputs, outputs]"""
    weights_name: str
    """Of what is made of them, which other layers may read, too."""
    biases: _Floats
    factors: _Floats
    gelu: bool = False
    normalisation: _Normalisation | None = None

    @property
    def output(self) -> str:
        return self.nodes[-1].output[0]


def use_linear_kernels(model: onnx.ModelProto, kept: frozenset[str]) -> int:
    """Has products by constant weights and attention computed by kernels; returns how many of both.

    `kept` are the nodes that stay in float, by name. With a product go its bias, a Gelu behind it, or the sum with a
    normalised tensor and its normalisation; attention goes where ONNX Runtime's fusion has made one node of it.
    """
    graph = model.graph
    known = _Graph(model)
    instead: dict[int, list[onnx.NodeProto]] = {}
    gone: set[int] = set()
    for node in graph.node:
        if node.name in kept or id(node) in gone:
            continue
        if node.op_type == "Attention":
            made, nodes = known.attention(node), [node]
        else:
            linear = known.linear(node)
            made, nodes = (_linear_nodes(graph, linear), linear.nodes) if linear else ([], [])
        if made:
            instead[id(nodes[-1])] = made
            gone |= {id(each) for each in nodes}
    if not instead:
        return 0
    nodes = [
        onnx.NodeProto.FromString(each.SerializeToString())  # what is deleted from a graph is gone
        for node in graph.node
        for each in instead.get(id(node), [] if id(node) in gone else [node])
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    read = set(names_read(graph))
    for node in [node for node in graph.node if divides(node) and node.output[0] not in read]:
        graph.node.remove(node)
    remove_unread(graph)
    model.opset_import.append(helper.make_opsetid(DOMAIN, _VERSION))
    return len(instead)


class _Graph:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        inferred = onnx.shape_inference.infer_shapes(model).graph
        infos = [*inferred.value_info, *inferred.input, *inferred.output]
        self._types = {info.name: info.type.tensor_type for info in infos}
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._reads = Counter(names_read(model.graph))
        self._readers = {name: node for node in model.graph.node for name in node.input}

    def linear(self, node: onnx.NodeProto) -> _Linear | None:
        """What can be a kernel from this node on."""
        is_product = node.op_type == "MatMul" or (node.op_type == "Gemm" and is_plain(node))
        weights = self._floats(node.input[1], 2) if is_product else None
        if weights is None or node.input[0] in self._constants:
            return None
        weights = weights.T if is_turned(node) else weights
        biases = self._floats(bias_of(node), 1) if bias_of(node) else np.zeros(weights.shape[1], np.float32)
        if biases is None or len(biases) != weights.shape[1]:
            return None
        linear = self._started(node, weights, biases)
        if linear is not None:
            linear.weights_name += "/turned" * is_turned(node)
            self._add_bias(linear)
            if not self._add_gelu(linear):
                self._add_normalisation(linear)
        return linear

    def attention(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """The nodes that compute an attention instead, if they can."""
        given = attributes_of(node)
        weights, biases = self._floats(node.input[1], 2), self._floats(node.input[2], 1)
        is_usual = not any(node.input[4:]) and not given.get("unidirectional") and not given.get("do_rotary")
        mask = self._mask(node)
        if weights is None or biases is None or not is_usual or "qkv_hidden_sizes" in given or mask is None:
            return []
        linear = self._started(node, weights, biases)
        if linear is None:
            return []
        projections, heads = f"{node.name}/projections", given["num_heads"]
        made = _linear_nodes(self._graph, linear)
        made[0].output[0] = projections
        size = weights.shape[1] / 3 / heads
        scale = add_constant(
            self._graph, f"{node.name}/scale", np.array(given.get("scale") or 1 / sqrt(size), np.float32)
        )
        inputs = [projections, scale, *([mask] if mask else [])]
        name = f"{node.name}/attention"
        return [*made, helper.make_node(_ATTENTION, inputs, [node.output[0]], name=name, domain=DOMAIN, heads=[heads])]

    def _mask(self, node: onnx.NodeProto) -> str | None:
        """The tensor with a number for each token, 0 for those that none attends to; empty if all count."""
        name = node.input[3] if len(node.input) > 3 else ""
        if not name:
            return ""
        maker = self._makers.get(name)
        if maker is not None and maker.op_type == _EMBEDDINGS and name == maker.output[_MASK_OUTPUT]:
            name = maker.input[_MASK_INPUT]
        elif maker is not None and maker.op_type == "ReduceSum":  # which counts the tokens, too
            name = maker.input[0]
        kind = self._types.get(name)
        is_mask = kind is not None and kind.elem_type == TensorProto.INT32 and len(kind.shape.dim) == 2
        return name if is_mask else None

    def _started(self, node: onnx.NodeProto, weights: _Floats, biases: _Floats) -> _Linear | None:
        inputs = weights.shape[0]
        if not 0 < inputs <= _MOST_INPUTS or not all(np.isfinite(each).all() for each in (weights, biases)):
            return None
        maker = self._makers.get(node.input[0])
        if maker is not None and divides(maker):
            factors = numpy_helper.to_array(self._constants[maker.input[1]])
            return _Linear([node], maker.input[0], weights, node.input[1], biases, factors)
        return _Linear([node], node.input[0], weights, node.input[1], biases, np.ones(inputs, np.float32))

    def _add_bias(self, linear: _Linear) -> None:
        node = self._reader(linear.output)
        if node is None or node.op_type != "Add":
            return
        biases = self._floats(_other(node, linear.output), 1)
        if biases is not None and len(biases) == len(linear.biases) and np.isfinite(biases).all():
            linear.biases = linear.biases + biases
            linear.nodes.append(node)

    def _add_gelu(self, linear: _Linear) -> bool:
        node = self._reader(linear.output)
        is_gelu = node is not None and node.op_type == "Gelu"
        if node is not None and is_gelu and attributes_of(node).get("approximate", b"none") == b"none":
            linear.gelu = True
            linear.nodes.append(node)
        return linear.gelu

    def _add_normalisation(self, linear: _Linear) -> None:
        node = self._reader(linear.output)
        if node is None or node.op_type != "Add":
            return
        other = _other(node, linear.output)
        maker, after = self._makers.get(other), self._reader(node.output[0])
        if maker is None or maker.op_type not in _NORMALISED or after is None:
            return
        given = attributes_of(after)
        is_usual = after.op_type == "LayerNormalization" and len(after.input) == 3 and len(after.output) == 1
        if not is_usual or given.get("axis", -1) != -1:
            return
        gamma, beta = (self._floats(name, 1) for name in after.input[1:])
        if gamma is None or beta is None or not len(gamma) == len(beta) == len(linear.biases):
            return
        linear.normalisation = _Normalisation(other, gamma, beta, given.get("epsilon", 1e-5))
        linear.nodes += [node, after]

    def _reader(self, name: str) -> onnx.NodeProto | None:
        """The node that alone reads a tensor, which is no output."""
        return self._readers.get(name) if self._reads[name] == 1 else None

    def _floats(self, name: str, dimensions: int) -> _Floats | None:
        tensor = self._constants.get(name)
        if tensor is None or tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != dimensions:
            return None
        return numpy_helper.to_array(tensor)


def _other(node: onnx.NodeProto, name: str) -> str:
    return node.input[1] if node.input[0] == name else node.input[0]


def _linear_nodes(graph: onnx.GraphProto, linear: _Linear) -> list[onnx.NodeProto]:
    """The kernel's node, whose constants are its own: what others read may be quantised for them."""
    name = linear.nodes[0].name

    def constants(**arrays: NDArray[Any]) -> list[str]:
        return [add_constant(graph, f"{name}/{each}", array) for each, array in arrays.items()]

    inputs = [linear.read, *_weights(graph, linear), *constants(biases=linear.biases, factors=linear.factors)]
    if after := linear.normalisation:
        epsilon = np.array(after.epsilon, np.float32)
        inputs += [after.other, *constants(gamma=after.gamma, beta=after.beta, epsilon=epsilon)]
    operator = _LINEAR_NORM if linear.normalisation else _LINEAR
    return [helper.make_node(operator, inputs, [linear.output], name=name, domain=DOMAIN, gelu=[int(linear.gelu)])]


def _weights(graph: onnx.GraphProto, linear: _Linear) -> list[str]:
    """The rounded weights and their scales, made once for all layers that share them."""
    rounded, scales = (f"{linear.weights_name}/{each}" for each in ("rounded", "scales"))
    if rounded not in {tensor.name for tensor in graph.initializer}:
        weights, steps = _rounded(linear.weights)
        add_constant(graph, rounded, weights)
        add_constant(graph, scales, steps)
    return [rounded, scales]


def _rounded(weights: _Floats) -> tuple[NDArray[np.int8], _Floats]:
    """Weights in steps of each output's own, of which its largest is 127, and those steps."""
    scales = (np.abs(weights).max(axis=0) / 127).astype(np.float32)
    # Of weights that are all zero, or so small that their step would be no normal number, none is more than that.
    scales = np.where(scales < np.finfo(np.float32).tiny, np.float32(1), scales)
    return np.clip(np.rint(weights / scales), -127, 127).astype(np.int8), scales
