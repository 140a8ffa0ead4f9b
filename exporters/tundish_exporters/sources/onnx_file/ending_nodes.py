"""Collects the nodes that make what is served of a network's outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tundish_exporters.sources.onnx_file.graph import Ending, Shape

_PREFIX = "tundish_"


class EndingNodes:
    """Nodes behind a network's outputs, in the order of their making."""

    def __init__(self, integers: Iterable[str]) -> None:
        """`integers` are the outputs that are no FP32."""
        self._integers = set(integers)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The tensor that a node gives."""
        output = f"{_PREFIX}{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=f"{output}_node", **attributes))
        return output

    def constant(self, values: NDArray[Any]) -> str:
        """A tensor of these values."""
        name = f"{_PREFIX}constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def as_floats(self, tensor: str) -> str:
        """An output as FP32."""
        return self.add("Cast", tensor, to=TensorProto.FLOAT) if tensor in self._integers else tensor

    def ending(self, tensors: Mapping[str, str], shapes: Mapping[str, Shape]) -> Ending:
        """What serves these tensors by these names; their shapes are without the batch."""
        for name, tensor in tensors.items():
            self._nodes.append(helper.make_node("Identity", [tensor], [name], name=f"{_PREFIX}{name}_node"))
        return Ending({name: shapes[name] for name in tensors}, self._nodes, self._constants)
