"""Recipes with Q/DQ nodes: activations in steps over ranges that are calibrated, weights in int8."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import onnx
from onnxruntime.quantization import QDQQuantizer, QuantType, TensorData
from onnxruntime.quantization.quant_utils import load_model_with_shape_infer
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

from tundish.engines import Arrays
from tundish.manifest import EngineName, Precision
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.biases import correct_biases, with_biases
from tundish_exporters.quantize.block_products import BlockProducts
from tundish_exporters.quantize.observing import calibration_inputs
from tundish_exporters.quantize.preparing import prepare
from tundish_exporters.quantize.ranges import RangeRule, activations, find_ranges, observe, range_of_input
from tundish_exporters.quantize.recipe import describe_keeping, name_keeping, one_sentence
from tundish_exporters.quantize.smoothing import smooth
from tundish_exporters.quantize.stem import Stem, find_stem, widen

Operators = Literal["convolutions", "products", "all"]
"""What is quantised: convolutions and what lies between them; matrix products by weights; whatever ONNX Runtime can."""

_HEAD = frozenset({"Gemm", "MatMul", "ReduceMean", "GlobalAveragePool"})
"""Operators that stay in float: averaged features are small beside their largest, so that 256 steps are too coarse for
them. A large head has its weights in int8 all the same, in blocks that round each input's own features."""
_BEFORE_LAYERS = frozenset({"Identity", "Cast", "Transpose", "Reshape", "Pad", "Add", "Sub", "Mul", "Div"})
"""What may stand between the network's input and its first layer: another layout, a normalisation."""
_LEAST_WEIGHTS = 256
"""Of a convolution that is a layer. One with fewer is arithmetic, such as the mean of a distribution over distances, by
which newer YOLO heads write an edge of a box."""
_PRODUCTS = ("MatMul", "Gemm")
_HEAD_BLOCK = 32
_LEAST_HEAD = 2**17
"""Weights of a head whose blocks of int8 are read faster than its floats; a smaller one is in the caches anyway."""

_RULES: Mapping[RangeRule, str] = {
    "mean": "mean extremes",
    "extremes": "extremes",
    "percentile": "99.99th percentile",
    "entropy": "least divergence",
}
_OPERATORS: Mapping[Operators, str] = {
    "convolutions": "ends in float, large heads in blocks of int8",
    "products": "matrix products alone",
    "all": "all operators",
}


@dataclass(frozen=True, kw_only=True)
class StaticRecipe:
    """Activations get the range that they have on the calibration inputs.

    The range of an activation is the mean of its extremes over the inputs, if no other rule is asked for, not their
    extremes: one input's outlier coarsens it for all the others. Biases of convolutions make good for the mean error of
    their rounded weights. Of a convolutional network, the first layer stays in float unless it is a `stem`, and so do
    the last ones and what follows them; with attention behind the convolutions, as some detectors have it, all but
    these does. The figures behind it stand in docs/decisions/: 2026-11-24-quantisation.md,
    2026-11-26-object-detection.md and 2026-11-26-onnx-detectors.md, those of transformers, stems and biases in
    2026-11-26-recipes.md.
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
    stem: bool = False
    """The first convolution is quantised as well, and reads several columns as one; only for graphs that `find_stem`
    finds one in."""
    kept: frozenset[str] = frozenset()

    precision: ClassVar[Precision] = "int8"

    @property
    def engines(self) -> tuple[EngineName, ...]:
        """See `Recipe.engines`; OpenVINO does not do without the transpositions of a stem."""
        return ("onnx",) if self.stem else ("onnx", "openvino")

    @property
    def name(self) -> str:
        """See `Recipe.name`."""
        parts = [
            "static",
            *([] if self.operators == "convolutions" else [self.operators]),
            f"{'s' if self.symmetric else 'u'}8s{7 if self.narrow else 8}",
            self.ranges,
            *([] if self.per_channel else ["per-tensor"]),
            *(["stem"] if self.stem else []),
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
            *(["stem in int8"] if self.stem else []),
        ]
        return describe_keeping(", ".join(parts), self.kept)

    def keeping(self, layers: frozenset[str]) -> StaticRecipe:
        """See `Recipe.keeping`."""
        return replace(self, kept=self.kept | layers)

    def prepare(self, source: Path, destination: Path) -> None:
        """See `Recipe.prepare`."""
        prepare(source, destination)

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
        """See `Recipe.write`."""
        inputs = calibration_inputs(calibration)
        with one_sentence("static quantisation"), tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
            if self.smoothing is not None:
                smoothed = Path(scratch) / "smoothed.onnx"
                smooth(prepared, smoothed, inputs, progress, strength=self.smoothing, kept=self.kept)
                prepared = smoothed
            self._quantize(prepared, destination, inputs, progress)

    def _quantize(self, prepared: Path, destination: Path, inputs: Sequence[Arrays], progress: Progress) -> None:
        model = load_model_with_shape_infer(prepared)
        stem = self._stem(model.graph)
        nodes = [node for node in self._nodes(model.graph, stem) if node.name not in self.kept]
        convolutions = with_biases(model.graph, nodes)
        read = {each.input for each in convolutions}
        observations = observe(model, activations(model, nodes), inputs, progress, means_of=read)
        ranges = find_ranges(model, observations, inputs, self.ranges, progress)
        if stem is not None:  # of what pixels may be, nothing is an outlier
            ranges[stem.input] = range_of_input(inputs, stem.input)
        weights_alone = self.operators == "products"
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
                "OpTypesToExcludeOutputQuantization": list(_PRODUCTS) if weights_alone else [],
            },
        )
        has_heads = self._has_heads(model.graph)
        quantizer.quantize_model()
        correct_biases(quantizer.model.model.graph, convolutions, observations.means)
        if has_heads:
            heads = BlockProducts(quantizer.model.model, 8, _HEAD_BLOCK)
            for node in quantizer.model.model.graph.node:
                if node.name not in self.kept and heads.size(node) >= _LEAST_HEAD:
                    heads.replace(node)
            heads.finish()
        if stem is not None:
            widen(quantizer.model.model.graph, stem)
        quantizer.model.save_model_to_file(destination, False)

    def _has_heads(self, graph: onnx.GraphProto) -> bool:
        """Whether products that are left in float are heads of a convolutional network; TensorRT has no such blocks."""
        return self.operators == "convolutions" and not self.symmetric and not _has_attention(graph, _ends(graph))

    def _stem(self, graph: onnx.GraphProto) -> Stem | None:
        """What is quantised although it reads the network's input."""
        found = find_stem(graph) if self.stem else None
        return None if found is None or found.node in self.kept else found

    def _nodes(self, graph: onnx.GraphProto, stem: Stem | None) -> list[onnx.NodeProto]:
        """Those that are quantised, but for what is kept."""
        if self.operators == "products":
            weights = {tensor.name for tensor in graph.initializer}
            return [node for node in graph.node if node.op_type in _PRODUCTS and node.input[1] in weights]
        known = {*QLinearOpsRegistry, *QDQRegistry}
        nodes = [node for node in graph.node if node.op_type in known]
        if self.operators == "all":
            return nodes
        ends = _ends(graph)
        attention = _has_attention(graph, ends)
        if stem is not None:
            ends -= {stem.node}
        return [node for node in nodes if node.name not in ends and (node.op_type == "Conv" or not attention)]


def _ends(graph: onnx.GraphProto) -> frozenset[str]:
    """The names of the nodes that stay in float: up to the first layer, and from the last ones on.

    What comes behind the last layers may be the arithmetic of boxes, whose edges 256 steps would put pixels apart, and
    in a tensor with scores leave these none.
    """
    sizes = {tensor.name: prod(tensor.dims) for tensor in graph.initializer}
    weights = set(sizes)
    early, late = ({tensor.name for tensor in tensors} for tensors in (graph.input, graph.output))
    names = {node.name for node in graph.node if node.op_type in _HEAD}
    for node in graph.node:  # a graph's nodes stand in the order in which they run
        if early & set(node.input):
            names.add(node.name)
            if node.op_type in _BEFORE_LAYERS and set(node.input) <= early | weights:
                early |= set(node.output)
    for node in reversed(graph.node):
        if late & set(node.output) and node.op_type != "Shape":
            names.add(node.name)
            if node.op_type not in _HEAD and not _is_layer(node, sizes):
                late |= set(node.input)
    return frozenset(names)


def _is_layer(node: onnx.NodeProto, sizes: Mapping[str, int]) -> bool:
    return node.op_type in ("Conv", "ConvTranspose") and sizes.get(node.input[1], 0) >= _LEAST_WEIGHTS


def _has_attention(graph: onnx.GraphProto, ends: frozenset[str]) -> bool:
    """Whether there is a softmax, but for the one that a classifier may end in."""
    return any(node.op_type == "Softmax" and node.name not in ends for node in graph.node)
