"""Which recipes a graph may gain by, the most promising first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import onnx

from tundish.manifest import EngineName
from tundish_exporters.quantize.blocks import BlockRecipe
from tundish_exporters.quantize.convolution_recipe import ConvolutionKernelRecipe
from tundish_exporters.quantize.dynamic import DynamicRecipe
from tundish_exporters.quantize.first_layer import StemForm
from tundish_exporters.quantize.half import HalfRecipe
from tundish_exporters.quantize.kernel_recipe import KernelRecipe
from tundish_exporters.quantize.kernels import is_depthwise
from tundish_exporters.quantize.linear_recipe import LinearKernelRecipe
from tundish_exporters.quantize.nncf_recipe import NncfRecipe
from tundish_exporters.quantize.processor import multiplies_bytes, multiplies_matrices, saturates
from tundish_exporters.quantize.ranges import RangeRule
from tundish_exporters.quantize.recipe import Recipe, one_sentence
from tundish_exporters.quantize.static import StaticRecipe
from tundish_exporters.quantize.stem import find_stem

_SMOOTHING, _LESS_SMOOTHING = 0.8, 0.5
"""Of transformers' products: what is best for MiniLM, and what SmoothQuant began with, by which that loses three times
as much."""

_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


@dataclass(frozen=True, slots=True)
class _Kinds:
    """What decides of a graph."""

    convolutions: int
    """Weights of convolutions."""
    products: int
    """Weights of matrices that stand alone, as those of a transformer's layers do."""
    gemms: int
    """Weights of matrices with a bias, as those of heads are."""
    embeddings: int
    """Weights of tables of vectors."""
    attends: bool
    has_stem: bool
    """Whether its first convolution can read several columns as one."""
    has_depthwise: bool
    """Whether there are convolutions that filter each channel alone."""


def recipes_for(source: Path, *, engines: Sequence[EngineName], stock_operators: bool = False) -> list[Recipe]:
    """Those that one of these engines can gain by with this graph on this processor, the most promising first.

    Convolutional networks take static activations, calibrated, since their ranges vary little from input to input.
    Transformers take dynamic ones, or static ones of products alone: static ranges of all else destroy them. With
    `stock_operators` there are none by tundish's kernels.

    Raises:
        ExportError: the graph cannot be read.
    """
    with one_sentence(f"reading {source.name}"):
        kinds = _kinds(onnx.load(source, load_external_data=False).graph)
    narrow = saturates()
    is_convolutional = kinds.convolutions > kinds.products + kinds.gemms
    recipes = _for_convolutions(kinds, narrow=narrow) if is_convolutional else _for_products(kinds, narrow=narrow)
    # Half the file, and nothing that a processor would be faster by: for when nothing else passes the gate.
    recipes.append(HalfRecipe())
    if stock_operators:
        recipes = [recipe for recipe in recipes if not isinstance(recipe, KernelRecipe)]
    return [recipe for recipe in recipes if set(recipe.engines) & set(engines)]


def _for_convolutions(kinds: _Kinds, *, narrow: bool) -> list[Recipe]:
    """The fastest come first, of those that take the same time the most exact.

    The figures: docs/decisions/2026-11-26-recipes.md.
    """
    # Pixels are large numbers all, so that a processor that adds in 16 bits cuts off most where it reads them.
    stems: list[StemForm] = ["blocks", "plain", "float"] if kinds.has_stem and not narrow else ["float"]
    return [
        *_by_kernels(kinds, "mean"),
        *(StaticRecipe(stem=stem) for stem in stems),
        # As good as the mean of extremes; which is better depends on the network.
        *_by_kernels(kinds, "percentile"),
        *(StaticRecipe(ranges="percentile", stem=stem) for stem in stems),
        # Layers that filter each channel alone get a range for each channel, which OpenVINO computes with.
        NncfRecipe(transformer=kinds.attends),
        *([StaticRecipe(narrow=True)] if narrow else []),
        *_by_kernels(kinds, "extremes"),
        *_by_kernels(kinds, "entropy"),
        StaticRecipe(ranges="entropy"),
        StaticRecipe(ranges="extremes"),
        # The coarsest; it may be faster elsewhere.
        StaticRecipe(per_channel=False),
    ]


def _by_kernels(kinds: _Kinds, ranges: RangeRule) -> list[Recipe]:
    """The recipe by kernels, which have their own way to read pixels, where they gain by something."""
    dense = multiplies_matrices()
    if not multiplies_bytes() or not (dense or kinds.has_depthwise or kinds.has_stem):
        return []
    static = StaticRecipe(ranges=ranges, stem="plain" if kinds.has_stem else "float")
    return [ConvolutionKernelRecipe(recipe=static, dense=dense)]


def _for_products(kinds: _Kinds, *, narrow: bool) -> list[Recipe]:
    dynamic = [DynamicRecipe(), *([DynamicRecipe(narrow=True)] if narrow else [])]
    if not kinds.products:
        return [*dynamic] if kinds.gemms or kinds.embeddings else []
    # Smoothing evens weights out, so that many are large: a processor that adds in 16 bits needs the bit of room.
    smoothed = DynamicRecipe(smoothing=_SMOOTHING, narrow=narrow)
    # Faster on short texts, by a tenth, if its attention can be fused. The float graph gains nothing by that.
    fused = [replace(smoothed, fused=True)] if kinds.attends else []
    return [
        *(LinearKernelRecipe(recipe=recipe) for recipe in (*fused, smoothed) if multiplies_bytes()),
        smoothed,
        *fused,
        StaticRecipe(operators="products", smoothing=_SMOOTHING, narrow=narrow),
        *dynamic,
        # Almost exact, and slower than the others where products of 8 bits take several instructions.
        BlockRecipe(bits=8),
        replace(smoothed, smoothing=_LESS_SMOOTHING),
        replace(smoothed, embeddings=False),
        # For networks that wait for their weights, and for those who count bytes.
        BlockRecipe(bits=4),
        BlockRecipe(bits=4, block=128),
    ]


def _kinds(graph: onnx.GraphProto) -> _Kinds:
    # Vectors are biases and normalisations, and integers are shapes.
    matrices = (tensor for tensor in graph.initializer if tensor.data_type in _FLOATS and len(tensor.dims) > 1)
    sizes = {tensor.name: prod(tensor.dims) for tensor in matrices}
    weights = {"Conv": 0, "MatMul": 0, "Gemm": 0, "Gather": 0}
    for node in graph.node:
        if node.op_type in weights:
            weights[node.op_type] += sum(sizes.get(name, 0) for name in node.input)
    shares = {name for node in graph.node if node.op_type == "Softmax" for name in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    return _Kinds(
        convolutions=weights["Conv"],
        products=weights["MatMul"],
        gemms=weights["Gemm"],
        embeddings=weights["Gather"],
        attends=any(node.op_type == "MatMul" and shares & set(node.input) for node in graph.node),
        has_stem=find_stem(graph) is not None,
        has_depthwise=any(is_depthwise(node, shapes.get(node.input[1], [])) for node in convolutions),
    )
