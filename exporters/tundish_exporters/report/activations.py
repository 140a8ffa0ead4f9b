"""How the float network's activations lie to the ranges that a static recipe chose for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper

from tundish.engines import Arrays
from tundish_exporters.quantize.kernels import rounding_of
from tundish_exporters.report.content import ActivationHistogram

MOST_TENSORS = 24
"""Histograms that anybody looks at."""
_MOST_INPUTS = 8
"""On which the network is run; more move the shape of a histogram by little."""
_AT_A_TIME = 16
"""Tensors that one run of the network gives: all of a large network's would not fit into memory."""
_BINS, _BINS_BEYOND = 48, 8
"""In the chosen range, and on each side of it."""


@dataclass(frozen=True, slots=True)
class _Range:
    tensor: str
    low: float
    high: float
    step: float
    """Between two values that its integers can say."""

    @property
    def edges(self) -> NDArray[np.float64]:
        step = (self.high - self.low) / _BINS
        return self.low + step * np.arange(-_BINS_BEYOND, _BINS + _BINS_BEYOND + 1, dtype=np.float64)


@dataclass(slots=True)
class _Tally:
    """What was seen of a tensor."""

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS + 2 * _BINS_BEYOND, np.int64))
    least: float = np.inf
    greatest: float = -np.inf
    clipped: int = 0
    total: int = 0

    def add(self, values: NDArray[np.generic], chosen: _Range) -> None:
        flat = values.astype(np.float32, copy=False).ravel()
        if not flat.size or not np.isfinite(flat).all():
            return
        width = (chosen.high - chosen.low) / _BINS
        bins = np.clip((flat - np.float32(chosen.low)) / np.float32(width), -_BINS_BEYOND, _BINS + _BINS_BEYOND - 1)
        self.counts += np.bincount(np.floor(bins).astype(np.intp) + _BINS_BEYOND, minlength=self.counts.size)
        self.least = min(self.least, float(flat.min()))
        self.greatest = max(self.greatest, float(flat.max()))
        half = chosen.step / 2  # what lies so little beyond the range is rounded into it, as any value is
        self.clipped += int(np.count_nonzero(flat < chosen.low - half) + np.count_nonzero(flat > chosen.high + half))
        self.total += flat.size


def activation_histograms(floating: Path, quantised: Path, inputs: Sequence[Arrays]) -> tuple[ActivationHistogram, ...]:
    """Those of which most is clipped first, `MOST_TENSORS` at most; none of a file without static activations.

    Args:
        floating: the float graph; tensors whose names it does not have are left out.
        quantised: the graph with Q/DQ nodes, which say the chosen ranges.
        inputs: what the network is run on.
    """
    chosen_ranges = _chosen_ranges(quantised)
    if not chosen_ranges:
        return ()  # before the float graph, which may be large
    graph = onnx.load(floating, load_external_data=False)
    makers = {name: node.op_type for node in graph.graph.node for name in node.output}
    ranges = [chosen for chosen in chosen_ranges if chosen.tensor in makers]
    histograms = []
    for start in range(0, len(ranges), _AT_A_TIME):
        some = ranges[start : start + _AT_A_TIME]
        tallies = _tally(graph, floating, some, inputs[:_MOST_INPUTS])
        histograms += [
            _histogram(chosen, makers[chosen.tensor], tally)
            for chosen, tally in zip(some, tallies, strict=True)
            if tally.total
        ]
    histograms.sort(key=lambda each: -each.clipped)  # stable: in the order of the network where none is clipped
    return tuple(histograms[:MOST_TENSORS])


def _chosen_ranges(quantised: Path) -> list[_Range]:
    """Of each tensor that is not constant and has one scale."""
    graph = onnx.load(quantised).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    ranges = []
    for node in graph.node:
        rounded = tuple(node.input) if node.op_type == "QuantizeLinear" else rounding_of(node)
        if rounded is None or rounded[0] in constants or not constants.keys() >= set(rounded[1:]) or len(rounded) != 3:
            continue
        scale, zero = (numpy_helper.to_array(constants[name]) for name in rounded[1:])
        if scale.size == 1 and scale.item() > 0 and np.issubdtype(zero.dtype, np.integer):
            limits = np.iinfo(zero.dtype)
            low, high = ((limit - int(zero.item())) * float(scale.item()) for limit in (limits.min, limits.max))
            ranges.append(_Range(rounded[0], low, high, float(scale.item())))
    return ranges


def _tally(graph: onnx.ModelProto, floating: Path, ranges: Sequence[_Range], inputs: Sequence[Arrays]) -> list[_Tally]:
    """Runs the network, with these tensors as its outputs."""
    asked = onnx.ModelProto()
    asked.CopyFrom(graph)
    del asked.graph.output[:]
    asked.graph.output.extend(onnx.ValueInfoProto(name=chosen.tensor) for chosen in ranges)
    path = floating.with_name(f"{floating.name}.activations")  # beside the float file, whose weights it may share
    try:
        path.write_bytes(asked.SerializeToString())
        options = ort.SessionOptions()
        options.log_severity_level = 3
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        tallies = [_Tally() for _ in ranges]
        for arrays in inputs:
            outputs = session.run([chosen.tensor for chosen in ranges], dict(arrays))
            for tally, values, chosen in zip(tallies, outputs, ranges, strict=True):
                tally.add(values, chosen)
    finally:
        path.unlink(missing_ok=True)
    return tallies


def _histogram(chosen: _Range, operator: str, tally: _Tally) -> ActivationHistogram:
    return ActivationHistogram(
        tensor=chosen.tensor,
        operator=operator,
        edges=tuple(float(edge) for edge in chosen.edges),
        counts=tuple(int(count) for count in tally.counts),
        low=chosen.low,
        high=chosen.high,
        least=tally.least,
        greatest=tally.greatest,
        clipped=tally.clipped / tally.total,
    )
