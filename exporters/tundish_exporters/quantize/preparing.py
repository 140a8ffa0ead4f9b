"""What every recipe does to a graph first: infer its shapes, fold what can be folded, and give its nodes names."""

from __future__ import annotations

from math import prod
from pathlib import Path

import onnx
from onnx.helper import tensor_dtype_to_np_dtype
from onnxruntime.quantization.shape_inference import quant_pre_process

from tundish_exporters.errors import ExportError
from tundish_exporters.quantize.recipe import one_sentence

_MOST_BYTES = 2**31 - 2**20
"""Of a graph in one file, which is a protobuf message; a megabyte is left for what are no weights."""


def prepare(source: Path, destination: Path) -> None:
    """Writes `source` with batch normalisation folded into convolutions and with all shapes that can be known.

    Raises:
        ExportError: ONNX Runtime cannot read the graph, or its weights do not fit into one file.
    """
    with one_sentence(f"preparing {source.name} for quantisation"):
        check_size(source)
        # Symbolic inference fails on transformers' shape arithmetic, and the quantizers do without it.
        quant_pre_process(str(source), str(destination), skip_symbolic_shape=True)
        model = onnx.load(destination)
        name_nodes(model.graph)
        onnx.save(model, destination)


def name_nodes(graph: onnx.GraphProto) -> None:
    """Gives a node that has no name, or another's, one of its own: that of what it makes, which no other node makes."""
    taken = {""}
    for node in graph.node:
        if node.name in taken:
            node.name = _free(f"{node.op_type}_{next(filter(None, node.output), '')}", taken)
        taken.add(node.name)


def _free(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def check_size(source: Path) -> None:
    """Raises ExportError if the weights of a graph do not fit into one file."""
    weights = onnx.load(source, load_external_data=False).graph.initializer
    size = sum(prod(weight.dims) * tensor_dtype_to_np_dtype(weight.data_type).itemsize for weight in weights)
    if size > _MOST_BYTES:
        raise ExportError(
            f"{source.name} has {size / 1e9:.1f} GB of weights, more than the {_MOST_BYTES / 1e9:.1f} that can be "
            "quantised; export it in fp32."
        )
