"""Convolutions and pools of integers in a graph with Q/DQ nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from tundish_exporters.inner_graphs import names_read
from tundish_exporters.quantize.nodes import attributes_of, bias_of


@dataclass(frozen=True, slots=True)
class IntegerConv:
    """A convolution that reads uint8, has filters in int8 around zero, and gives what is rounded to uint8."""

    node: onnx.NodeProto
    pixels: onnx.NodeProto
    """The DequantizeLinear of what it reads, by one scale."""
    filters: onnx.NodeProto
    """That of its filters."""
    shape: tuple[int, ...]
    """Of its filters."""
    pads: tuple[int, ...]
    """As ONNX has them: before the first row and column, then behind the last."""
    biases: onnx.NodeProto | None
    """That of its biases, if it has some."""
    rounding: onnx.NodeProto
    """The QuantizeLinear of what it gives, by one scale."""

    @property
    def dequantizations(self) -> list[onnx.NodeProto]:
        """What makes floats for it."""
        return [each for each in (self.pixels, self.filters, self.biases) if each is not None]


@dataclass(frozen=True, slots=True)
class IntegerPool:
    """A MaxPool of an image in uint8, which is rounded to what it was."""

    node: onnx.NodeProto
    pixels: onnx.NodeProto
    """The DequantizeLinear of what it reads, by one scale."""
    rounding: onnx.NodeProto
    """The QuantizeLinear of what it gives, by the same scale."""

    @property
    def dequantizations(self) -> list[onnx.NodeProto]:
        """What makes floats for it."""
        return [self.pixels]


class IntegerGraph:
    """Who makes and who reads what, and the constants."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._makers = {name: node for node in graph.node for name in node.output}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._reads = Counter(names_read(graph))
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def convolutions(self) -> Iterator[IntegerConv]:
        """All of them, in the order of the graph."""
        for node in self._graph.node:
            if node.op_type == "Conv":
                found = self._convolution(node)
                if found is not None:
                    yield found

    def pools(self) -> Iterator[IntegerPool]:
        """All of them, in the order of the graph."""
        for node in self._graph.node:
            # Of two outputs one is where the largest values are.
            if node.op_type == "MaxPool" and len(node.output) == 1 and len(attributes_of(node)["kernel_shape"]) == 2:
                pixels = self._dequantization(node.input[0], TensorProto.UINT8)
                rounding = self._rounding(node.output[0])
                if pixels is not None and rounding is not None and self._rounds_to(pixels, rounding):
                    yield IntegerPool(node, pixels, rounding)

    def quantization(self, name: str) -> onnx.NodeProto | None:
        """The QuantizeLinear that makes this, to uint8 by known scales and zeros, if one node alone reads it."""
        node = self._makers.get(name)
        if node is None or node.op_type != "QuantizeLinear" or not self._is_known(node, TensorProto.UINT8):
            return None
        return node if self.reads_alone(name) else None

    def reads_alone(self, name: str) -> bool:
        """Whether one node reads a tensor, and nobody else."""
        return self._reads[name] == len(self._readers.get(name, [])) == 1

    def constant(self, name: str) -> NDArray[Any]:
        """The values of a constant."""
        return numpy_helper.to_array(self._constants[name])

    def _convolution(self, node: onnx.NodeProto) -> IntegerConv | None:
        pixels = self._dequantization(node.input[0], TensorProto.UINT8)
        filters = self._dequantization(node.input[1], TensorProto.INT8)
        biases = self._dequantization(bias_of(node), TensorProto.INT32)
        rounding = self._rounding(node.output[0])
        if pixels is None or filters is None or rounding is None or (bias_of(node) and biases is None):
            return None
        if filters.input[0] not in self._constants or self.constant(filters.input[2]).any():
            return None
        if self.constant(pixels.input[1]).size != 1 or (biases is not None and not self._adds(biases, pixels, filters)):
            return None
        shape = tuple(self._constants[filters.input[0]].dims)
        pads = pads_of(node, shape[2:])
        return None if pads is None else IntegerConv(node, pixels, filters, shape, pads, biases, rounding)

    def _adds(self, biases: onnx.NodeProto, pixels: onnx.NodeProto, filters: onnx.NodeProto) -> bool:
        """Whether biases are in steps of the sums that they are added to."""
        if biases.input[0] not in self._constants or self.constant(biases.input[2]).any():
            return False
        steps = self.constant(pixels.input[1]) * self.constant(filters.input[1])
        return bool(np.allclose(self.constant(biases.input[1]), steps, rtol=1e-5, atol=0))

    def _rounds_to(self, dequantization: onnx.NodeProto, quantization: onnx.NodeProto) -> bool:
        pairs = zip(dequantization.input[1:], quantization.input[1:], strict=True)
        return all(np.array_equal(self.constant(one), self.constant(other)) for one, other in pairs)

    def _dequantization(self, name: str, integers: int) -> onnx.NodeProto | None:
        node = self._makers.get(name)
        if node is None or node.op_type != "DequantizeLinear" or not self._is_known(node, integers):
            return None
        return node

    def _rounding(self, name: str) -> onnx.NodeProto | None:
        if not self.reads_alone(name):
            return None
        reader = self._readers[name][0]
        if reader.op_type != "QuantizeLinear" or not self._is_known(reader, TensorProto.UINT8):
            return None
        return reader if self.constant(reader.input[1]).size == 1 else None

    def _is_known(self, node: onnx.NodeProto, integers: int) -> bool:
        known = len(node.input) == 3 and all(name in self._constants for name in node.input[1:])
        return known and self._constants[node.input[2]].data_type == integers


def pads_of(node: onnx.NodeProto, kernel: Sequence[int]) -> tuple[int, ...] | None:
    """Those that are given, or that keep the size; None if they depend on the image."""
    settings, sides = attributes_of(node), len(kernel)
    rule = settings.get("auto_pad", b"NOTSET")
    if rule == b"NOTSET":
        return tuple(settings.get("pads", [0] * 2 * sides))
    if rule == b"VALID":
        return (0,) * 2 * sides
    if set(settings.get("strides", [1])) != {1}:
        return None
    dilations = settings.get("dilations", [1] * sides)
    added = [(length - 1) * dilation for length, dilation in zip(kernel, dilations, strict=True)]
    less, more = [each // 2 for each in added], [each - each // 2 for each in added]
    return (*less, *more) if rule == b"SAME_UPPER" else (*more, *less)
