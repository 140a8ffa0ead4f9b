"""Quantisation: from a float ONNX graph to an int8 one, by the recipe that its operators ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import numpy_helper

from tundish.engines import Arrays
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import Progress
from tundish_exporters.quantize import dynamic, static


def quantize(source: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> str:
    """Writes the int8 form of `source`, and returns how it was made, for people.

    Convolutional networks take static activations, calibrated, since their ranges vary little from input to input.
    Transformers take dynamic ones: static ranges of their activations destroy them.

    Raises:
        ExportError: the graph cannot be quantised.
    """
    try:
        if _is_convolutional(source):
            static.quantize(source, destination, calibration, progress)
            return static.RECIPE
        dynamic.quantize(source, destination, progress)
        return dynamic.RECIPE
    except ExportError:
        raise
    except Exception as error:  # ONNX Runtime's errors have no common base but Exception
        reason = str(error).strip().split("\n")[0]
        raise ExportError(f"{source.name} cannot be quantised: {reason}") from error


def _is_convolutional(path: Path) -> bool:
    """Whether most of the weights that are multiplied belong to convolutions."""
    graph = onnx.load(path).graph
    sizes = {tensor.name: numpy_helper.to_array(tensor).size for tensor in graph.initializer}
    weights = {"Conv": 0, "MatMul": 0, "Gemm": 0}
    for node in graph.node:
        if node.op_type in weights:
            weights[node.op_type] += sum(sizes.get(name, 0) for name in node.input)
    return weights["Conv"] > weights["MatMul"] + weights["Gemm"]
