"""What an ONNX graph says of itself, and the few changes that make it one that tundish can serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import onnx
from onnx import TensorProto, helper, numpy_helper, version_converter

from tundish_exporters.errors import ExportError
from tundish_exporters.inner_graphs import inner_graphs
from tundish_exporters.onnx_hints import Layout
from tundish_exporters.sources import OPSET

Shape = Sequence[int | str]

_LEAST_OPSET = 13
"""In which a weight may be quantised by channel."""

_COLORS = 3
_AXES: dict[Layout, int] = {"nchw": 1, "nhwc": 3}
"""The dimension that holds the colours."""
_SPATIAL: dict[Layout, slice] = {"nchw": slice(2, 4), "nhwc": slice(1, 3)}

_SCORES: dict[str, Literal["softmax", "sigmoid"]] = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
_KEEPS_VALUES = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast"})


def find_layout(shape: Shape, said: Layout | None) -> Layout:
    """Where an input of four dimensions has its colours.

    Raises:
        ExportError: there are not three of them, they are not where the user says, or it could be either.
    """
    sure = [layout for layout, axis in _AXES.items() if shape[axis] == _COLORS]
    possible = [layout for layout, axis in _AXES.items() if layout in sure or isinstance(shape[axis], str)]
    shown = f"[{', '.join(map(str, shape))}]"
    if not possible:
        raise ExportError(
            f"The network takes images of the shape {shown}, in which no dimension is that of the three colours; "
            "tundish gives RGB or BGR."
        )
    if said is not None:
        if said not in possible:
            raise ExportError(f"The network takes images of the shape {shown}, which is not {said}.")
        return said
    found = sure or possible
    if len(found) > 1:
        raise ExportError(
            f"The network takes images of the shape {shown}, which does not say where the colours are: pass --layout "
            "nchw or nhwc."
        )
    return found[0]


def find_size(shape: Shape, layout: Layout, said: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width of the images that an input of four dimensions takes.

    Raises:
        ExportError: the shape leaves them open and the user does not say them, or the two contradict each other.
    """
    sizes = tuple(shape[_SPATIAL[layout]])
    if said is None:
        if not all(isinstance(size, int) for size in sizes):
            raise ExportError(f"The network takes images of {sizes[0]} by {sizes[1]} pixels: pass --size HEIGHTxWIDTH.")
        return int(sizes[0]), int(sizes[1])
    if any(isinstance(size, int) and size != wanted for size, wanted in zip(sizes, said, strict=True)):
        raise ExportError(
            f"The network takes images of {sizes[0]} by {sizes[1]} pixels, not {said[0]} by {said[1]}; leave --size "
            "out."
        )
    return said


def open_size(shape: Shape, layout: Layout, example: tuple[int, int]) -> tuple[tuple[int, int], Shape]:
    """Height and width of an image by which to look at an input, and those it takes: names where they are open."""
    pairs = list(zip(shape[_SPATIAL[layout]], example, ("height", "width"), strict=True))
    height, width = (extent if isinstance(extent, int) else shown for extent, shown, _ in pairs)
    return (height, width), tuple(extent if isinstance(extent, int) else name for extent, _, name in pairs)


def input_shape(layout: Layout, size: Shape, batch: int | str) -> list[int | str]:
    """Of the images that the network takes."""
    return [batch, _COLORS, *size] if layout == "nchw" else [batch, *size, _COLORS]


def free_name(graph: onnx.GraphProto, name: str) -> str:
    """A name that no tensor of the graph has yet, made of `name`."""
    taken = {output for node in graph.node for output in node.output}
    taken |= {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}
    return next(free for number in range(1, len(taken) + 2) if (free := f"{name}_{number}") not in taken)


def last_function(graph: onnx.GraphProto, output: str) -> Literal["softmax", "sigmoid"] | None:
    """Whether the output is that of a softmax or a sigmoid, by the operators it comes from."""
    producers = {name: node for node in graph.node for name in node.output}
    node = producers.get(output)
    while node is not None and node.op_type in _KEEPS_VALUES:
        node = producers.get(node.input[0])
    return None if node is None else _SCORES.get(node.op_type)


def modern(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with a graph that can be quantised, if it can be made: of an opset that is new enough."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    if _opset(made) < _LEAST_OPSET:
        try:
            made = version_converter.convert_version(made, OPSET)
        except Exception:  # no adapter for an operator; it is served as it is then, and int8 says why it cannot be made
            made.CopyFrom(model)
    _lift_constants(made.graph)
    # Until IR version 4 the weights were listed as inputs, which keeps every optimiser from relying on their values.
    weights = {tensor.name for tensor in made.graph.initializer}
    for value in [value for value in made.graph.input if value.name in weights]:
        made.graph.input.remove(value)
    made.ir_version = max(made.ir_version, 4)
    return made


def _lift_constants(graph: onnx.GraphProto) -> None:
    """Makes weights of what nodes give, as Paddle's exporter writes it: quantisation looks for weights alone."""
    for node in [node for node in graph.node if _is_constant(node)]:
        tensor = graph.initializer.add()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
        graph.node.remove(node)


@dataclass(frozen=True, slots=True)
class Ending:
    """What makes the outputs that are served of those that the file has."""

    outputs: Mapping[str, Shape]
    """By name, without the batch."""
    nodes: Sequence[onnx.NodeProto] = ()
    constants: Sequence[onnx.TensorProto] = ()


def with_interface(model: onnx.ModelProto, image: tuple[str, list[int | str]], ending: Ending) -> onnx.ModelProto:
    """A copy with one input of this name and shape, and other outputs; what was said of the shapes within is dropped.

    Tensors of the model get another name where it is that of an output which the ending's nodes make.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    new = {name: free_name(graph, name) for name in ending.outputs} if ending.nodes else {}
    _rename(graph, new)
    for node in ending.nodes:
        graph.node.append(node)
        graph.node[-1].input[:] = [new.get(name, name) for name in node.input]
    graph.initializer.extend(ending.constants)
    for field in ("input", "output", "value_info"):
        graph.ClearField(field)
    name, shape = image
    graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    for name, extents in ending.outputs.items():
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [shape[0], *extents]))
    return made


def _rename(graph: onnx.GraphProto, new: Mapping[str, str]) -> None:
    """Also in the graphs within."""
    graphs = [graph]
    for each in graphs:  # which grows
        for node in each.node:
            graphs += inner_graphs(node)
            for tensors in (node.input, node.output):
                tensors[:] = [new.get(name, name) for name in tensors]
        for tensor in each.initializer:
            tensor.name = new.get(tensor.name, tensor.name)
        for value in (*each.input, *each.output):
            value.name = new.get(value.name, value.name)


def with_free_reshapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose reshapes to a batch of one, as tracing writes them, keep whatever batch they are given."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    values = {tensor.name: tensor for tensor in graph.initializer}
    values |= {node.output[0]: node.attribute[0].t for node in graph.node if _is_constant(node)}
    for node in graph.node:
        if node.op_type != "Reshape" or node.input[1] not in values:
            continue
        shape = numpy_helper.to_array(values[node.input[1]])
        if shape.ndim == 1 and len(shape) > 1 and shape[0] == 1:
            kept = shape.copy()
            kept[0] = 0 if -1 in shape else -1  # as large as the input's, or what is left for it
            name = f"{node.input[1]}_{node.output[0]}_any_batch"
            graph.initializer.append(numpy_helper.from_array(kept, name))
            node.input[1] = name
    return made


def _is_constant(node: onnx.NodeProto) -> bool:
    return node.op_type == "Constant" and len(node.attribute) == 1 and node.attribute[0].name == "value"


def _opset(model: onnx.ModelProto) -> int:
    return max((opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")), default=0)
