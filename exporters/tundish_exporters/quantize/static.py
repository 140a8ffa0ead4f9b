"""The recipe for convolutional networks: Q/DQ nodes, calibrated uint8 activations, int8 weights per channel."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from tundish.engines import Arrays
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import Progress, tracked
from tundish_exporters.quantize.preparing import prepare

RECIPE = "static Q/DQ, activations uint8 (mean extremes), weights int8 per channel, ends in float"

_HEAD = frozenset({"Gemm", "MatMul", "ReduceMean", "GlobalAveragePool"})
"""Operators that stay in float: averaged features are small beside their largest, so that 256 steps are too coarse for
them, and the head is a hundredth of the work."""


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, inputs: Sequence[Arrays], progress: Progress) -> None:
        self._inputs: Iterator[Arrays] = tracked(inputs, "calibrate", progress)

    def get_next(self) -> Arrays | None:
        return next(self._inputs, None)


def quantize(source: Path, destination: Path, calibration: Sequence[Arrays], progress: Progress) -> None:
    """Writes the int8 form of `source`; activations get the range that they have on the calibration inputs.

    The range of an activation is the mean of its extremes over the inputs, not their extremes: one input's outlier
    coarsens it for all the others. What reads the network's input stays in float, and so does the head; with attention
    behind the convolutions, as detectors have it, all but these does. The figures behind it stand in
    docs/decisions/2026-11-24-quantisation.md and 2026-11-26-object-detection.md.

    Raises:
        ExportError: there are no calibration inputs.
    """
    if not calibration:
        raise ExportError("Static quantisation needs calibration data; pass --calibration.")
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        prepare(source, prepared)
        graph = onnx.load(prepared).graph
        quantize_static(
            prepared,
            destination,
            _Reader(calibration, progress),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"] if _has_attention(graph) else None,
            nodes_to_exclude=_ends(graph),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )


def _ends(graph: onnx.GraphProto) -> list[str]:
    """The names of the nodes that stay in float: those that read the network's input, and the head."""
    inputs = {tensor.name for tensor in graph.input}
    return [node.name for node in graph.node if node.name and (node.op_type in _HEAD or inputs & set(node.input))]


def _has_attention(graph: onnx.GraphProto) -> bool:
    """Whether there is a softmax; an exported classifier's own is no part of its graph."""
    return any(node.op_type == "Softmax" for node in graph.node)
