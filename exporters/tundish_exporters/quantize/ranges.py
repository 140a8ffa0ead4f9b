"""The ranges that static activations get, by what they are on the calibration inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from tundish.engines import Arrays
from tundish_exporters.progress import Progress
from tundish_exporters.quantize.observing import observed

RangeRule = Literal["mean", "extremes", "percentile", "entropy"]
"""The mean of the inputs' extremes, the extremes of all, or these cut where it costs least: at the 99.99th percentile
of magnitudes, or where the distribution in 128 steps is most like the real one."""

Range = tuple[np.float32, np.float32]

_BINS = 2048
_STEPS = 128
_PERCENTILE = 99.99


def activations(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """The float tensors that these nodes read and make, but for weights."""
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    floats = {
        value.name
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    read = {name: None for node in nodes for name in (*node.input, *node.output)}
    return [name for name in read if name in floats and name not in weights]


@dataclass(frozen=True, slots=True)
class Observations:
    """What tensors are on the calibration inputs."""

    lows: Mapping[str, NDArray[np.float32]]
    """`[inputs]`: the lowest value of each tensor on each of them; zero at most, which shall be exact."""
    highs: Mapping[str, NDArray[np.float32]]
    means: Mapping[str, NDArray[np.float32]]
    """`[channels]`: of each channel, the second axis, over all inputs; of those tensors that it was asked of."""


def observe(
    model: onnx.ModelProto,
    tensors: Sequence[str],
    inputs: Sequence[Arrays],
    progress: Progress,
    *,
    means_of: Collection[str] = (),
    also: Callable[[Mapping[str, NDArray[np.float32]]], None] | None = None,
) -> Observations:
    """Observes these tensors, and of some of them the means; `also` sees them, input by input."""
    lows, highs = [], []
    means: dict[str, list[NDArray[np.float32]]] = {name: [] for name in means_of}
    for values in observed(model, tensors, inputs, "calibrate", progress):
        if also is not None:
            also(dict(zip(tensors, values, strict=True)))
        lows.append([value.min(initial=0.0) for value in values])
        highs.append([value.max(initial=0.0) for value in values])
        for name, value in zip(tensors, values, strict=True):
            if name in means:
                means[name].append(value.mean(tuple(axis for axis in range(value.ndim) if axis != 1)))
    # A row for each tensor: NumPy's sums along rows are the more exact.
    low, high = (np.ascontiguousarray(np.array(each, np.float32).T) for each in (lows, highs))
    return Observations(
        dict(zip(tensors, low, strict=True)),
        dict(zip(tensors, high, strict=True)),
        {name: np.mean(each, 0) for name, each in means.items()},
    )


def find_ranges(
    model: onnx.ModelProto, observations: Observations, inputs: Sequence[Arrays], rule: RangeRule, progress: Progress
) -> dict[str, Range]:
    """Lowest and highest value that each tensor is to have in its steps."""
    lows, highs = observations.lows, observations.highs
    if rule == "mean":
        return {name: (lows[name].mean(), highs[name].mean()) for name in lows}
    extremes = {name: (lows[name].min(), highs[name].max()) for name in lows}
    if rule == "extremes":
        return extremes
    histograms = _histograms(model, extremes, inputs, progress)
    find_bin = _percentile_bin if rule == "percentile" else _entropy_bin
    return {name: _cut(extremes[name], find_bin(counts)) for name, counts in histograms.items()}


def range_of_input(inputs: Sequence[Arrays], name: str) -> Range:
    """The lowest and the highest value of one of the network's inputs, for which the network need not run."""
    lows, highs = zip(*((each[name].min(initial=0.0), each[name].max(initial=0.0)) for each in inputs), strict=True)
    return np.float32(min(lows)), np.float32(max(highs))


def _histograms(
    model: onnx.ModelProto, extremes: Mapping[str, Range], inputs: Sequence[Arrays], progress: Progress
) -> dict[str, NDArray[np.int64]]:
    """How many magnitudes of each tensor lie in each of `_BINS` equal bins up to its largest."""
    counts = {name: np.zeros(_BINS, np.int64) for name in extremes}
    for values in observed(model, list(extremes), inputs, "count magnitudes", progress):
        for (name, (low, high)), value in zip(extremes.items(), values, strict=True):
            largest = max(-low, high) or np.float32(1)
            bins = (np.abs(value.ravel()) * (_BINS / largest)).astype(np.int32)
            counts[name] += np.bincount(np.minimum(bins, _BINS - 1), minlength=_BINS)
    return counts


def _cut(extremes: Range, bins: int) -> Range:
    """Extremes that reach no further from zero than so many bins."""
    low, high = extremes
    threshold = np.float32(max(-low, high) * (bins / _BINS))
    return max(low, -threshold), min(high, threshold)


def _percentile_bin(counts: NDArray[np.int64]) -> int:
    shares = np.cumsum(counts) / max(int(counts.sum()), 1)
    return int(np.searchsorted(shares, _PERCENTILE / 100)) + 1


def _entropy_bin(counts: NDArray[np.int64]) -> int:
    """The number of bins after which cutting loses least.

    What loss is: the Kullback-Leibler divergence of the counts, with those beyond the cut in the last bin, from the
    counts within it in `_STEPS` equal steps. Source: Migacz, "8-bit Inference with TensorRT", 2017.
    """
    # Zeros are exact in any steps, and after an activation so many that they would decide alone.
    counts = counts.copy()
    counts[0] = counts[1]
    divergences = {}
    for bins in range(_STEPS, _BINS + 1, 8):
        within = counts[:bins].astype(np.float64)
        reference = within.copy()
        reference[-1] += counts[bins:].sum()
        steps = np.arange(bins) * _STEPS // bins
        held = within > 0
        sums = np.bincount(steps, within, _STEPS)
        filled = np.bincount(steps, held, _STEPS)
        approximate = np.where(held, (sums / np.maximum(filled, 1))[steps], 0.0)
        divergences[bins] = _divergence(reference, approximate)
    return min(divergences, key=lambda bins: divergences[bins])


def _divergence(reference: NDArray[np.float64], approximate: NDArray[np.float64]) -> float:
    p, q = reference / max(reference.sum(), 1), approximate / max(approximate.sum(), 1)
    there = p > 0
    return float((p[there] * np.log(p[there] / np.maximum(q[there], 1e-9))).sum())
