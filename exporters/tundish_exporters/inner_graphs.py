"""Graphs within a graph: ONNX has branches and loops as attributes of nodes."""

from __future__ import annotations

from collections.abc import Iterator

import onnx


def inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Those of its branches or its loop."""
    for attribute in node.attribute:
        yield from (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs)


def names_read(graph: onnx.GraphProto) -> Iterator[str]:
    """The names that nodes read or the graph gives out, once for each time; also within a branch or a loop."""
    yield from (output.name for output in graph.output)
    for node in graph.node:
        yield from node.input
        for inner in inner_graphs(node):
            yield from names_read(inner)
