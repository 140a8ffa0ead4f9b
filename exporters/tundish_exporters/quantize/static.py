"""Recipes with Q/DQ nodes: activations in steps over ranges that are calibrated, weights in int8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import onnx
from onnxruntime.quantization import QDQQuantizer, QuantType, TensorData
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.quantization.quant_utils import load_model_with_shape_infer
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

from tundish.engines import Arrays
from tundish.manifest import EngineName, Precision
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.biases import correct_biases, with_biases
from tundish_exporters.quantize.ends import Ends, find_ends
from tundish_exporters.quantize.equalizing import equalize
from tundish_exporters.quantize.first_layer import FirstLayer, StemForm, in_integers
from tundish_exporters.quantize.heads import fit_heads, shrink_heads
from tundish_exporters.quantize.observing import calibration_inputs
from tundish_exporters.quantize.preparing import prepare
from tundish_exporters.quantize.ranges import Range, RangeRule, activations, find_ranges, observe
from tundish_exporters.quantize.recipe import describe_keeping, name_keeping, one_sentence
from tundish_exporters.quantize.rounding import FilterReads
from tundish_exporters.quantize.smoothing import smooth
from tundish_exporters.quantize.streams import even_streams

Operators = Literal["convolutions", "products", "all"]
"""What is quantised: convolutions and what lies between them; matrix products by weights; whatever ONNX Runtime can."""

_PRODUCTS = ("MatMul", "Gemm")

_RULES: Mapping[RangeRule, str] = {
    "mean": "mean extremes",
    "extremes": "extremes",
    "percentile": "99.99th percentile",
    "entropy": "least divergence",
}
_OPERATORS: Mapping[Operators, str] = {
    "convolutions": "ends in float, the last fitted, large heads in blocks of int8",
    "products": "matrix products alone",
    "all": "all operators",
}
_ENGINES: Mapping[StemForm, tuple[EngineName, ...]] = {
    "float": ("onnx", "openvino"),
    "plain": ("openvino",),
    # OpenVINO does not do without the transpositions around them.
    "blocks": ("onnx",),
}
_STEMS: Mapping[StemForm, str] = {"plain": "as it is", "blocks": "blocks of columns"}


@dataclass(frozen=True, kw_only=True)
class StaticRecipe:
    """Activations get the range that they have on the calibration inputs.

    The range of an activation is the mean of its extremes over the inputs, if no other rule is asked for, not their
    extremes: one input's outlier coarsens it for all the others. Channels that share a range are evened out before.
    Weights of convolutions are rounded in turn, so that each makes good for those before it, and biases make good for
    the mean error that is left. Of a convolutional network, the first layer stays in float if no other `stem` is asked
    for, and so do the last ones, fitted to what they read then, and what follows them; with attention behind the
    convolutions, as some detectors have it, all but these does. The figures behind it stand in docs/decisions/:
    2026-11-24-quantisation.md, 2026-11-26-object-detection.md and 2026-11-26-onnx-detectors.md, those of transformers,
    stems, biases and last layers in 2026-11-26-recipes.md, those of sums and of rounding in turn in
    2026-11-28-nearer-integers.md.
    """

    operators: Operators = "convolutions"
    ranges: RangeRule = "mean"
    per_channel: bool = True
    narrow: bool = False
    """Weights of 7 bits, for processors that add products in 16 bits."""
    symmetric: bool = False
    """Activations in int8 around zero rather than in uint8."""
    smoothing: float | None = None
    """How much of the activations' outliers goes to the weights of matrix products; see `smooth`."""
    stem: StemForm = "float"
    """Of the first convolution, in graphs that `find_stem` finds one in."""
    kept: frozenset[str] = frozenset()

    precision: ClassVar[Precision] = "int8"

    @property
    def engines(self) -> tuple[EngineName, ...]:
        """See `Recipe.engines`."""
        return _ENGINES[self.stem]

    @property
    def name(self) -> str:
        """See `Recipe.name`."""
        parts = [
            "static",
            *([] if self.operators == "convolutions" else [self.operators]),
            f"{'s' if self.symmetric else 'u'}8s{7 if self.narrow else 8}",
            self.ranges,
            *([] if self.per_channel else ["per-tensor"]),
            *([] if self.stem == "float" else [f"{self.stem}-stem"]),
            *([] if self.smoothing is None else [f"smooth-{self.smoothing}"]),
        ]
        return name_keeping("-".join(parts), self.kept)

    @property
    def description(self) -> str:
        """See `Recipe.description`."""
        activation, weights = "int8" if self.symmetric else "uint8", "7 bits" if self.narrow else "int8"
        parts = [
            "static Q/DQ",
            f"activations {activation} ({_RULES[self.ranges]})",
            f"weights {weights} per {'channel' if self.per_channel else 'tensor'}",
            *([] if self.smoothing is None else [f"SmoothQuant {self.smoothing}"]),
            _OPERATORS[self.operators],
            *([] if self.operators == "products" else ["biases corrected"]),
            *([] if self.stem == "float" else [f"stem in int8 ({_STEMS[self.stem]})"]),
        ]
        return describe_keeping(", ".join(parts), self.kept)

    def keeping(self, layers: frozenset[str]) -> StaticRecipe:
        """See `Recipe.keeping`."""
        return replace(self, kept=self.kept | layers)

    def prepare(self, source: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
        """See `Recipe.prepare`."""
        prepare(source, destination)
        if self.operators == "convolutions" and self.per_channel:  # weights of one scale for all would grow uneven
            with one_sentence("evening channels out"):
                equalize(destination, calibration, progress)
                even_streams(destination, calibration, progress)
        if self.smoothing is not None:
            with one_sentence("smoothing"):
                smooth(destination, calibration, progress, strength=self.smoothing)

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
        """See `Recipe.write`."""
        with one_sentence("static quantisation"):
            self._quantize(prepared, destination, calibration_inputs(calibration), progress)

    def _quantize(self, prepared: Path, destination: Path, inputs: Sequence[Arrays], progress: Progress) -> None:
        model = load_model_with_shape_infer(prepared)
        first = in_integers(model.graph, self.stem, self.kept, inputs)
        ends = find_ends(model.graph)
        attends = _has_attention(model.graph, ends)
        nodes = [node for node in self._nodes(model.graph, first, ends, attends=attends) if node.name not in self.kept]
        convolutions = with_biases(model.graph, nodes)
        read, reads = {each.input for each in convolutions}, FilterReads(model.graph, convolutions)
        observations = observe(model, activations(model, nodes), inputs, progress, means_of=read, also=reads.add)
        ranges = find_ranges(model, observations, inputs, self.ranges, progress)
        if first is not None:
            tensor, of_pixels = first.range(inputs)
            ranges[tensor] = of_pixels
        quantised = self._in_qdq_form(model, nodes, ranges)
        reads.round_weights(quantised.graph)
        correct_biases(quantised.graph, convolutions, observations.means)
        if self.operators == "convolutions":
            fit_heads(onnx.load(prepared), quantised, ends.heads, inputs, progress)
            if not attends and not self.symmetric:  # products that attend are no heads, and TensorRT has no blocks
                shrink_heads(quantised, self.kept)
        if first is not None:
            first.finish(quantised.graph)
        ONNXModel(quantised).save_model_to_file(destination, False)

    def _in_qdq_form(
        self, model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], ranges: Mapping[str, Range]
    ) -> onnx.ModelProto:
        quantizer = QDQQuantizer(
            model,
            self.per_channel,
            self.narrow,
            QuantType.QInt8,
            QuantType.QInt8 if self.symmetric else QuantType.QUInt8,
            {
                name: TensorData(lowest=np.array([low], np.float32), highest=np.array([high], np.float32))
                for name, (low, high) in ranges.items()
            },
            [node.name for node in nodes],
            [],
            sorted({node.op_type for node in nodes}),
            {
                "ActivationSymmetric": self.symmetric,
                # What follows a product of a transformer, such as a sum, is in float.
                "OpTypesToExcludeOutputQuantization": list(_PRODUCTS) if self.operators == "products" else [],
            },
        )
        quantizer.quantize_model()
        quantised: onnx.ModelProto = quantizer.model.model
        return quantised

    def _nodes(
        self, graph: onnx.GraphProto, first: FirstLayer | None, ends: Ends, *, attends: bool
    ) -> list[onnx.NodeProto]:
        """Those that are quantised, but for what is kept."""
        if self.operators == "products":
            weights = {tensor.name for tensor in graph.initializer}
            return [node for node in graph.node if node.op_type in _PRODUCTS and node.input[1] in weights]
        known = {*QLinearOpsRegistry, *QDQRegistry}
        nodes = [node for node in graph.node if node.op_type in known]
        if self.operators == "all":
            return nodes
        floats = ends.floats - ({first.node} if first is not None else set())
        return [node for node in nodes if node.name not in floats and (node.op_type == "Conv" or not attends)]


def _has_attention(graph: onnx.GraphProto, ends: Ends) -> bool:
    """Whether there is a softmax, but for the one that a classifier may end in."""
    return any(node.op_type == "Softmax" and node.name not in ends.floats for node in graph.node)
