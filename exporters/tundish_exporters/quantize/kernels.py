"""Convolutions in integers by tundish's own kernels, for which ONNX Runtime loads a library of operators.

ONNX Runtime's integers have no fast way for channels that have a filter each, nor for the three channels of pixels:
they take as long as floats, or longer. The kernels give the same bits. They have channels last, as ONNX Runtime keeps
them around convolutions of integers: the transpositions beside them meet others that they undo, and ONNX Runtime
removes all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from tundish_exporters.inner_graphs import names_read
from tundish_exporters.quantize.constants import add_constant, remove_unread
from tundish_exporters.quantize.integers import IntegerConv, IntegerGraph, IntegerPool
from tundish_exporters.quantize.nodes import attributes_of

DOMAIN = "tundish"
"""Of the operators of tundish's library for ONNX Runtime."""
_DENSE, _DEPTHWISE, _STEM = "QLinearDenseConv", "QLinearDepthwiseConv", "QLinearStemConv"
_VERSION = 1
_OF_RUNTIME, _POOL = "com.microsoft", "NhwcMaxPool"
_ROUNDED = "/rounded"
"""Behind the name of the float tensor of which a kernel gives the integers."""
_CHANNELS_LAST, _CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
_COLOURS = 3
_LARGEST_SCALED = 2.0**31 * 0.999
"""Scales are products of float32 for the kernels, so that the last of 2^31 are left to ONNX Runtime."""


def is_depthwise(node: onnx.NodeProto, filters: Sequence[int]) -> bool:
    """Whether a convolution of images filters each channel alone, into one; `filters` is their shape."""
    is_conv = node.op_type == "Conv" and len(filters) == 4
    return is_conv and filters[1] == 1 and attributes_of(node).get("group", 1) == filters[0] > 1


def rounding_of(node: onnx.NodeProto) -> tuple[str, str, str] | None:
    """The float tensor that a kernel gives the integers of, and the names of their scale and zero point.

    None of any other node.
    """
    if node.domain != DOMAIN or node.op_type not in (_DENSE, _DEPTHWISE, _STEM):
        return None
    scale, zero = node.input[-3:-1]
    return node.output[0].removesuffix(_ROUNDED), scale, zero


@dataclass(frozen=True, slots=True)
class _Replaced:
    """A layer that an operator of integers computes instead."""

    operator: str
    layer: IntegerConv | IntegerPool
    image: onnx.NodeProto | None = None
    """The QuantizeLinear of what it reads, if the kernel of stems does that, too."""

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        """Those that go; the rounding gives way to the operator."""
        return [self.layer.node] if self.image is None else [self.layer.node, self.layer.pixels, self.image]


def use_kernels(model: onnx.ModelProto, *, dense: bool) -> int:
    """Has convolutions of a network in Q/DQ form computed by kernels; returns how many.

    Those are taken that read uint8, have filters in int8 around zero, and give what is rounded to uint8, if each of
    their channels has a filter of its own, or if they read the three channels of an image that is rounded for them;
    `dense` takes those that read all channels, too, and pools between them with channels last. Those whose sums 32 bits
    may not hold stay as they are.
    """
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {each.name: each.type.tensor_type.shape for each in [*inferred.value_info, *inferred.output]}
    graph = model.graph
    found = [each for each in _replaced(graph, dense=dense) if each.layer.node.output[0] in shapes]
    if not any(isinstance(each.layer, IntegerConv) for each in found):
        return 0
    instead = {id(each.layer.rounding): _nodes_instead(graph, each) for each in found}
    gone = {id(node) for each in found for node in each.nodes}
    nodes = [
        # Copies, since what is deleted from a graph is gone.
        onnx.NodeProto.FromString(made.SerializeToString())
        for node in graph.node
        if id(node) not in gone
        for made in instead.get(id(node), [node])
    ]
    floats = {made for each in found for node in each.layer.dequantizations for made in node.output}
    for each in found:
        graph.value_info.extend(_value_infos(each.layer, shapes[each.layer.node.output[0]]))
    del graph.node[:]
    graph.node.extend(nodes)
    unread = floats - set(names_read(graph))
    for node in [node for node in graph.node if set(node.output) & unread]:
        graph.node.remove(node)
    remove_unread(graph)
    model.opset_import.append(helper.make_opsetid(DOMAIN, _VERSION))
    has_pools = any(isinstance(each.layer, IntegerPool) for each in found)
    if has_pools and _OF_RUNTIME not in {each.domain for each in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(_OF_RUNTIME, 1))
    return sum(isinstance(each.layer, IntegerConv) for each in found)


def _replaced(graph: onnx.GraphProto, *, dense: bool) -> Iterator[_Replaced]:
    known = IntegerGraph(graph)
    for conv in known.convolutions():
        if not _fits(known, conv):
            continue
        if is_depthwise(conv.node, conv.shape):
            yield _Replaced(_DEPTHWISE, conv)
        elif (image := _image_of(known, conv)) is not None:
            yield _Replaced(_STEM, conv, image)
        elif dense and len(conv.shape) == 4 and attributes_of(conv.node).get("group", 1) == 1:
            yield _Replaced(_DENSE, conv)
    if dense:
        yield from (_Replaced(_POOL, pool) for pool in known.pools())


def _fits(known: IntegerGraph, conv: IntegerConv) -> bool:
    """Whether 32 bits hold all sums of products with bytes, and what they are scaled to."""
    weights = known.constant(conv.filters.input[0]).astype(np.int64).reshape(conv.shape[0], -1)
    biases = 0 if conv.biases is None else known.constant(conv.biases.input[0]).astype(np.int64)
    from_zero = biases - int(known.constant(conv.pixels.input[2]).item()) * weights.sum(axis=1)
    largest = 255 * np.abs(weights).sum(axis=1) + np.abs(from_zero)
    given, filters, made = (known.constant(each.input[1]) for each in (conv.pixels, conv.filters, conv.rounding))
    scales = given.astype(np.float64) * filters / made
    return bool(np.all(largest < 2**31) and np.all(largest * np.minimum(scales, 256) < _LARGEST_SCALED))


def _image_of(known: IntegerGraph, conv: IntegerConv) -> onnx.NodeProto | None:
    """What rounds an image of three channels for this convolution alone, each by its scale or all by one."""
    settings = attributes_of(conv.node)
    is_plain = settings.get("group", 1) == 1 and set(settings.get("dilations", [1])) == {1}
    if len(conv.shape) != 4 or conv.shape[1] != _COLOURS or not is_plain:
        return None
    image = known.quantization(conv.pixels.input[0])
    if image is None or not known.reads_alone(conv.pixels.output[0]):
        return None
    scales = known.constant(image.input[1]).size
    is_by_channel = scales == _COLOURS and attributes_of(image).get("axis", 1) == 1
    return image if is_by_channel or scales == 1 else None


def _nodes_instead(graph: onnx.GraphProto, replaced: _Replaced) -> list[onnx.NodeProto]:
    """What makes the integers that the layer's rounding made."""
    layer = replaced.layer
    made = _pool_nodes(layer) if isinstance(layer, IntegerPool) else _kernel_nodes(graph, replaced, layer)
    return [*made, _transposed(made[-1].output[0], layer.rounding.output[0], _CHANNELS_FIRST)]


def _pool_nodes(pool: IntegerPool) -> list[onnx.NodeProto]:
    """ONNX Runtime's pool with channels last.

    It takes it by itself where it has convolutions of its own beside; the other takes sixty times as long.
    """
    before = f"{pool.node.name}/channels_last"
    made = helper.make_node(_POOL, [before], [pool.node.output[0] + _ROUNDED], name=pool.node.name, domain=_OF_RUNTIME)
    made.attribute.extend(each for each in pool.node.attribute if each.name != "storage_order")  # of its other output
    return [_transposed(pool.pixels.input[0], before, _CHANNELS_LAST), made]


def _kernel_nodes(graph: onnx.GraphProto, replaced: _Replaced, conv: IntegerConv) -> list[onnx.NodeProto]:
    settings, name, after = attributes_of(conv.node), conv.node.name, conv.node.output[0] + _ROUNDED
    if conv.biases is None:
        biases = add_constant(graph, f"{name}/no_biases", np.zeros(conv.shape[0], np.int32))
    else:
        biases = conv.biases.input[0]
    constants = [*conv.pixels.input[1:], *conv.filters.input, *conv.rounding.input[1:], biases]
    given = {"strides": settings.get("strides", [1, 1]), "pads": conv.pads}
    if replaced.image is None:
        before = f"{name}/channels_last"
        # Who looks for the layer, finds what computes it.
        made = helper.make_node(replaced.operator, [before, *constants], [after], name=name, domain=DOMAIN, **given)
        made.attribute.append(helper.make_attribute("dilations", settings.get("dilations", [1, 1])))
        return [_transposed(conv.pixels.input[0], before, _CHANNELS_LAST), made]
    inputs = [*replaced.image.input, *constants]
    return [helper.make_node(replaced.operator, inputs, [after], name=name, domain=DOMAIN, **given)]


def _transposed(given: str, made: str, order: Sequence[int]) -> onnx.NodeProto:
    return helper.make_node("Transpose", [given], [made], name=f"{made}/transposed", perm=order)


def _value_infos(layer: IntegerConv | IntegerPool, shape: onnx.TensorShapeProto) -> Iterator[onnx.ValueInfoProto]:
    """The operator's output and what is made of it, of which ONNX Runtime must know how many dimensions there are."""
    given, made = layer.node.output[0] + _ROUNDED, layer.rounding.output[0]
    for name, order in ((given, _CHANNELS_LAST), (made, range(4))):
        info = onnx.ValueInfoProto(name=name)
        info.type.tensor_type.elem_type = TensorProto.UINT8
        info.type.tensor_type.shape.dim.extend(shape.dim[axis] for axis in order)
        yield info
