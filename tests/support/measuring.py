"""What the gate measures of a variant's results beside the float model's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tundish.manifest import Accuracy, Variant
from tundish.results import Result
from tundish_exporters.agreement import ScoreFunction
from tundish_exporters.gauge import CONFIDENCE, Gauge
from tundish_exporters.metrics import Metric
from tundish_exporters.truths import Truth


class Figures(NamedTuple):
    """The figures of an accuracy that do not depend on chance."""

    metric: str
    value: float
    reference: float
    samples: int


def figures(measured: Accuracy | Variant) -> Figures:
    accuracy = measured.accuracy if isinstance(measured, Variant) else measured
    assert accuracy is not None
    return Figures(accuracy.metric, accuracy.value, accuracy.reference, accuracy.samples)


def measure(
    results: Sequence[Result],
    floating: Sequence[Result],
    truths: Sequence[Truth] | None = None,
    metric: Metric | None = None,
    *,
    function: ScoreFunction = "softmax",
    confidence: float = CONFIDENCE,
    groups: Sequence[str] | None = None,
) -> Accuracy:
    gauge = Gauge(floating, truths, metric, function=function, confidence=confidence, groups=groups)
    return gauge.compare(results).accuracy()
