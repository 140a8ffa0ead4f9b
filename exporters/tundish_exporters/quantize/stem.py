"""The stem of a network of images, its first convolution, in integers: it reads several columns as one.

Pixels have three channels. A convolution of integers reads channels by fours, and takes a detour through memory where
there are three; in float its output, the largest of many a network, is put in order and rounded afterwards. So columns
of pixels are taken together, as many as fill channels by fours: that is another view of the same bytes where channels
stand last. The weights are spread, with zeros, to where their pixels are now, and each place of the output holds
several columns of the old one. All sums have the same terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, lcm

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tundish_exporters.quantize.constants import add_constant, remove_unread
from tundish_exporters.quantize.nodes import attributes_of

_CHANNELS_AT_ONCE = 4
"""Which processors multiply and add by one instruction."""
_MOST_WASTE = 4.0
"""How many products, the others by zero, are worth one. More has not been measured."""


@dataclass(frozen=True, slots=True)
class Stem:
    """A convolution that can read columns in blocks."""

    node: str
    """Its name."""
    input: str
    """The network's, which it reads: `[batch, channels, rows, columns]`, float."""
    channels: int
    columns: int
    """Of the input."""
    kernel: int
    """How many columns it reaches over, as all that follows."""
    stride: int
    left: int
    """Columns of zeros before the first."""

    @property
    def width(self) -> int:
        """How many columns make a block."""
        return lcm(_CHANNELS_AT_ONCE // gcd(self.channels, _CHANNELS_AT_ONCE), self.stride)

    @property
    def made(self) -> int:
        """How many columns of output each block makes."""
        return self.width // self.stride

    @property
    def before(self) -> int:
        """How many blocks before its own an output reads."""
        return -(-self.left // self.width)

    @property
    def after(self) -> int:
        """How many behind it."""
        last = (self.made - 1) * self.stride - self.left + self.kernel - 1
        return max(0, last // self.width)

    @property
    def blocks(self) -> int:
        """How many it reads in all."""
        return self.before + 1 + self.after

    @property
    def waste(self) -> float:
        """How many products it makes of one."""
        return self.blocks * self.width / self.kernel

    def spread(self, weights: NDArray[np.int8]) -> NDArray[np.int8]:
        """`[made * outputs, width * channels, rows, blocks]` of `[outputs, channels, rows, kernel]`."""
        outputs, channels, rows, kernel = weights.shape
        wide = np.zeros((self.made, outputs, self.width, channels, rows, self.blocks), np.int8)
        for made in range(self.made):
            for column in range(kernel):
                block, place = divmod(made * self.stride - self.left + column + self.before * self.width, self.width)
                wide[made, :, place, :, :, block] = weights[..., column]
        return wide.reshape(self.made * outputs, self.width * channels, rows, -1)


def find_stem(graph: onnx.GraphProto) -> Stem | None:
    """The first convolution of a float network, if it reads an image of known width and gains by blocks of columns."""
    weights = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    given = {each.name: [dim.dim_value for dim in each.type.tensor_type.shape.dim] for each in graph.input}
    first = [node for node in graph.node if set(node.input) & given.keys() - weights.keys()]
    if len(first) != 1 or first[0].op_type != "Conv" or len(weights.get(first[0].input[1], ())) != 4:
        return None
    if any(set(first[0].input[1:]) & set(node.input) for node in graph.node if node is not first[0]):
        return None
    stem = _stem(first[0], given[first[0].input[0]], weights[first[0].input[1]])
    return stem if stem is not None and stem.waste <= _MOST_WASTE else None


def _stem(node: onnx.NodeProto, shape: list[int], weights: list[int]) -> Stem | None:
    settings = attributes_of(node)
    _, channels, _, kernel = weights
    left, right = (settings.get("pads", [0] * 4)[index] for index in (1, 3))
    stride = settings.get("strides", [1, 1])[1]
    is_plain = (
        settings.get("auto_pad", b"NOTSET") == b"NOTSET"
        and settings.get("group", 1) == 1
        and set(settings.get("dilations", [1])) == {1}
        and channels % _CHANNELS_AT_ONCE != 0
    )
    if not is_plain or len(shape) != 4 or not shape[3]:
        return None
    stem = Stem(node.name, node.input[0], channels, shape[3], kernel, stride, left)
    fits = shape[3] % stem.width == 0 and (shape[3] + left + right - kernel) // stride + 1 == shape[3] // stride
    return stem if fits else None


def widen(graph: onnx.GraphProto, stem: Stem) -> None:
    """Has the stem of a graph in Q/DQ form read blocks of columns; nothing else is changed, nor what it computes.

    Args:
        graph: where the stem's input, weights and bias come from DequantizeLinear, the latter two from constants.
        stem: as `find_stem` found it in the float network.
    """
    makers = {name: node for node in graph.node for name in node.output}
    convolution = next(node for node in graph.node if node.name == stem.node)
    _widen_constants(graph, stem, [makers[name] for name in convolution.input[1:]])
    _widen_settings(convolution, stem)
    dequantize, made, of_blocks = makers[convolution.input[0]], convolution.output[0], f"{stem.node}/of_blocks"
    columns = stem.columns // stem.stride
    before = _viewed(graph, dequantize.input[0], f"{stem.node}/in_blocks", stem.columns // stem.width)
    after = _viewed(graph, of_blocks, made, columns)
    dequantize.input[0], convolution.output[0] = f"{stem.node}/in_blocks", of_blocks
    # Who looks for the layer, finds what gives its output.
    convolution.name, after[-1].name = of_blocks, stem.node
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes += [*(before if node is dequantize else ()), node, *(after if node is convolution else ())]
    # Copies, since what is deleted from a graph is gone.
    copied = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copied)


def _widen_constants(graph: onnx.GraphProto, stem: Stem, dequantizes: Sequence[onnx.NodeProto]) -> None:
    """Spreads the weights, and repeats what stands for each output of them and of the bias."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    weights = dequantizes[0].input[0]
    outputs = constants[weights].dims[0]
    for dequantize in dequantizes:
        for index, name in enumerate(dequantize.input):
            array = numpy_helper.to_array(constants[name])
            if name == weights:
                array = stem.spread(array)
            elif array.shape == (outputs,):
                array = np.tile(array, stem.made)
            dequantize.input[index] = add_constant(graph, f"{stem.node}/{name}", array)
    remove_unread(graph)


def _widen_settings(convolution: onnx.NodeProto, stem: Stem) -> None:
    settings = attributes_of(convolution)
    settings.pop("kernel_shape", None)  # the weights say it
    top, _, bottom, _ = settings.get("pads", [0] * 4)
    settings["pads"] = [top, stem.before, bottom, stem.after]
    settings["strides"] = [settings.get("strides", [1])[0], 1]
    del convolution.attribute[:]
    convolution.attribute.extend(helper.make_attribute(name, value) for name, value in settings.items())


def _viewed(graph: onnx.GraphProto, given: str, made: str, columns: int) -> list[onnx.NodeProto]:
    """Nodes that give a tensor so many columns, whose neighbours are taken together as channels, or apart.

    Only the view differs where an engine keeps channels last; ONNX Runtime removes the transpositions then.
    """
    last, view, shape = f"{made}/channels_last", f"{made}/view", f"{made}/shape"
    add_constant(graph, shape, np.array([0, 0, columns, -1]))
    return [
        helper.make_node("Transpose", [given], [last], name=last, perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", [last, shape], [view], name=view),
        helper.make_node("Transpose", [view], [made], name=f"{made}/channels_first", perm=[0, 3, 1, 2]),
    ]
