"""Which recipes a graph may gain by, the most promising first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import numpy_helper

from tundish.manifest import EngineName
from tundish_exporters.quantize.dynamic import DynamicRecipe
from tundish_exporters.quantize.recipe import Recipe, one_sentence
from tundish_exporters.quantize.static import StaticRecipe


def recipes_for(source: Path, *, engines: Sequence[EngineName]) -> list[Recipe]:
    """Those that one of these engines can gain by with this graph on this processor, the most promising first.

    Convolutional networks take static activations, calibrated, since their ranges vary little from input to input.
    Transformers take dynamic ones: static ranges of their activations destroy them.

    Raises:
        ExportError: the graph cannot be read.
    """
    with one_sentence(f"reading {source.name}"):
        graph = onnx.load(source).graph
    recipes: list[Recipe] = [StaticRecipe()] if _is_convolutional(graph) else [DynamicRecipe()]
    return [recipe for recipe in recipes if set(recipe.engines) & set(engines)]


def _is_convolutional(graph: onnx.GraphProto) -> bool:
    """Whether most of the weights that are multiplied belong to convolutions."""
    sizes = {tensor.name: numpy_helper.to_array(tensor).size for tensor in graph.initializer}
    weights = {"Conv": 0, "MatMul": 0, "Gemm": 0}
    for node in graph.node:
        if node.op_type in weights:
            weights[node.op_type] += sum(sizes.get(name, 0) for name in node.input)
    return weights["Conv"] > weights["MatMul"] + weights["Gemm"]
