"""Constants of a graph that recipes change."""

from __future__ import annotations

from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from tundish_exporters.inner_graphs import names_read


def add_constant(graph: onnx.GraphProto, name: str, array: NDArray[Any]) -> str:
    """The name of a constant that is new in the graph."""
    graph.initializer.append(numpy_helper.from_array(array, name))
    return name


def remove_unread(graph: onnx.GraphProto) -> None:
    """Removes the constants that no node reads and that are no outputs."""
    read = set(names_read(graph))
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)
