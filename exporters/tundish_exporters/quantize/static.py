"""The recipe for convolutional networks: Q/DQ nodes, calibrated uint8 activations, int8 weights per channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from tundish.engines import Arrays
from tundish.manifest import EngineName, Precision
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import Progress, tracked
from tundish_exporters.quantize.preparing import prepare
from tundish_exporters.quantize.recipe import describe_keeping, name_keeping, one_sentence

_HEAD = frozenset({"Gemm", "MatMul", "ReduceMean", "GlobalAveragePool"})
"""Operators that stay in float: averaged features are small beside their largest, so that 256 steps are too coarse for
them, and the head is a hundredth of the work."""
_BEFORE_LAYERS = frozenset({"Identity", "Cast", "Transpose", "Reshape", "Pad", "Add", "Sub", "Mul", "Div"})
"""What may stand between the network's input and its first layer: another layout, a normalisation."""
_LEAST_WEIGHTS = 256
"""Of a convolution that is a layer. One with fewer is arithmetic, such as the mean of a distribution over distances, by
which newer YOLO heads write an edge of a box."""


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, inputs: Sequence[Arrays], progress: Progress) -> None:
        self._inputs: Iterator[Arrays] = tracked(inputs, "calibrate", progress)

    def get_next(self) -> Arrays | None:
        return next(self._inputs, None)


@dataclass(frozen=True, kw_only=True)
class StaticRecipe:
    """Activations get the range that they have on the calibration inputs.

    The range of an activation is the mean of its extremes over the inputs, not their extremes: one input's outlier
    coarsens it for all the others. The first layer stays in float, and so do the last ones and what follows them; with
    attention behind the convolutions, as some detectors have it, all but these does. The figures behind it stand in
    docs/decisions/2026-11-24-quantisation.md, 2026-11-26-object-detection.md and 2026-11-26-onnx-detectors.md.
    """

    narrow: bool = False
    """Weights of 7 bits, for processors that add products in 16 bits."""
    kept: frozenset[str] = frozenset()

    precision: Precision = "int8"
    engines: tuple[EngineName, ...] = ("onnx", "openvino")

    @property
    def name(self) -> str:
        """See `Recipe.name`."""
        return name_keeping(f"static-u8s{7 if self.narrow else 8}-mean", self.kept)

    @property
    def description(self) -> str:
        """See `Recipe.description`."""
        weights = "7 bits" if self.narrow else "int8"
        text = f"static Q/DQ, activations uint8 (mean extremes), weights {weights} per channel, ends in float"
        return describe_keeping(text, self.kept)

    def keeping(self, layers: frozenset[str]) -> StaticRecipe:
        """See `Recipe.keeping`."""
        return replace(self, kept=self.kept | layers)

    def prepare(self, source: Path, destination: Path) -> None:
        """See `Recipe.prepare`."""
        prepare(source, destination)

    def write(self, prepared: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
        """See `Recipe.write`."""
        if not calibration:
            raise ExportError("Static quantisation needs calibration data; pass --calibration.")
        with one_sentence("static quantisation"):
            graph = onnx.load(prepared).graph
            ends = _ends(graph)
            quantize_static(
                prepared,
                destination,
                _Reader(calibration, progress),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=self.narrow,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["Conv"] if _has_attention(graph, ends) else None,
                nodes_to_exclude=sorted({*ends, *self.kept}),
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={"CalibMovingAverage": True},
            )


def _ends(graph: onnx.GraphProto) -> list[str]:
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
    return sorted(names - {""})


def _is_layer(node: onnx.NodeProto, sizes: Mapping[str, int]) -> bool:
    return node.op_type in ("Conv", "ConvTranspose") and sizes.get(node.input[1], 0) >= _LEAST_WEIGHTS


def _has_attention(graph: onnx.GraphProto, ends: Sequence[str]) -> bool:
    """Whether there is a softmax, but for the one that a classifier may end in."""
    return any(node.op_type == "Softmax" and node.name not in ends for node in graph.node)
