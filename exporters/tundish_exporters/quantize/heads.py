"""The last layers of a quantised network, which stay in float: they are fitted to what they read now.

What rounding has done to the layers before them arrives as features that are shifted, cut off and noisy. Where a last
layer is a matrix, what its answers lack on the calibration inputs is explained by these features, and the layer takes
that in: nothing is computed more than before. Afterwards, large weights are put into blocks of int8.

A layer that answers for each place of an image or text is not fitted: most places have nothing, as those of a detector,
and what is learnt of these takes from the few that matter.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tundish.engines import Arrays
from tundish_exporters.progress import Progress, silent
from tundish_exporters.quantize.block_products import BlockProducts
from tundish_exporters.quantize.constants import add_constant, remove_unread
from tundish_exporters.quantize.nodes import bias_of, is_plain, is_turned
from tundish_exporters.quantize.observing import observed
from tundish_exporters.quantize.ridge import ridge

_LEAST_INPUTS = 10
"""Which are fitted to; of fewer, what is theirs alone would be learnt. With ten it neither gains nor loses."""
_FITTED = "Fitted to the float network's answers."
"""What the graph says of such a layer."""
_BLOCK = 32
_LEAST_IN_BLOCKS = 2**17
"""Weights of a head whose blocks of int8 are read faster than its floats; a smaller one is in the caches anyway."""


def is_fitted(node: onnx.NodeProto) -> bool:
    """Whether the weights of a layer are others than those of the float network on purpose."""
    return node.doc_string == _FITTED


def shrink_heads(model: onnx.ModelProto, kept: Collection[str]) -> None:
    """Puts the weights of large products that were left in float into blocks, but for those of some nodes."""
    heads = BlockProducts(model, 8, _BLOCK)
    for node in model.graph.node:
        if node.name not in kept and heads.size(node) >= _LEAST_IN_BLOCKS:
            heads.replace(node)
    heads.finish()


def fit_heads(
    floating: onnx.ModelProto,
    quantised: onnx.ModelProto,
    names: Sequence[str],
    inputs: Sequence[Arrays],
    progress: Progress,
) -> None:
    """Changes the weights and biases of last layers in the quantised graph.

    Args:
        floating: the graph that was quantised.
        quantised: what became of it; its last layers are in float and have kept their names.
        names: of products that no other layer follows; one that does more than to multiply by a matrix and to add a
            bias, or that answers for other than an input as a whole, stays as it is.
        inputs: of the network, one by one.
        progress: told of each input.
    """
    found = [_head(floating.graph, quantised.graph, name) for name in names]
    heads = [head for head in found if head is not None]
    if not heads or len(inputs) < _LEAST_INPUTS:
        return
    wanted_of = [head.wanted for head in heads]
    read = list({name: None for head in heads for name in (head.reads, head.makes)})
    in_float = observed(floating, wanted_of, inputs, "answer in float", silent, fused=True)
    in_integers = observed(quantised, read, inputs, "fit last layers", progress, fused=True)
    for wanted, made in zip(in_float, in_integers, strict=True):
        answers, tensors = dict(zip(wanted_of, wanted, strict=True)), dict(zip(read, made, strict=True))
        heads = [head for head in heads if tensors[head.reads].shape[:-1] == (1,)]
        if not heads:
            return
        for head in heads:
            head.features.append(tensors[head.reads][0])
            head.missing.append((answers[head.wanted] - tensors[head.makes])[0])
    for head in heads:
        head.fit(quantised.graph)
    remove_unread(quantised.graph)


@dataclass(slots=True)
class _Head:
    """A last layer that multiplies the features of an input, one row, by a matrix of its own: a MatMul, or a Gemm."""

    node: str
    """Its name."""
    reads: str
    """A tensor of the quantised graph, `[inputs, features]`."""
    makes: str
    """Another, `[inputs, outputs]`."""
    wanted: str
    """The tensor of the float graph that it is to make."""
    features: list[NDArray[np.float32]] = field(default_factory=list)
    """What it reads on each input."""
    missing: list[NDArray[np.float32]] = field(default_factory=list)
    """And by what the float layer makes more."""

    def fit(self, graph: onnx.GraphProto) -> None:
        """Has the layer make what was missing as well."""
        explaining, missing = ridge(np.array(self.features, np.float64), np.array(self.missing, np.float64))
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        index, node = next((index, node) for index, node in enumerate(graph.node) if node.name == self.node)
        given, weights = bias_of(node), constants[node.input[1]] + (explaining.T if is_turned(node) else explaining)
        node.doc_string = _FITTED
        node.input[1] = add_constant(graph, f"{self.node}/fitted", weights.astype(np.float32))
        missing = missing + (constants[given] if given else 0)
        bias = add_constant(graph, f"{self.node}/bias", missing.astype(np.float32))
        if node.op_type == "Gemm":
            del node.input[2:]
            node.input.append(bias)
            return
        product = f"{self.node}/product"
        node.output[0] = product
        graph.node.insert(index + 1, helper.make_node("Add", [product, bias], [self.makes], name=f"{self.node}/sum"))


def _head(floating: onnx.GraphProto, quantised: onnx.GraphProto, name: str) -> _Head | None:
    """The layer of this name, if it can be fitted."""
    node = next(node for node in quantised.node if node.name == name)
    wanted = next(node for node in floating.node if node.name == name).output[0]
    constants = {tensor.name: tensor for tensor in quantised.initializer}
    weights = constants.get(node.input[1])
    if weights is None or len(weights.dims) != 2 or bias_of(node) not in {"", *constants} or not is_plain(node):
        return None
    return _Head(name, node.input[0], node.output[0], wanted)
