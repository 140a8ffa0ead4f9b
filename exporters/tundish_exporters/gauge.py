"""Holds variants against the float model, by what is known to be right or by the float model's own answers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tundish.results import FeatureExtraction, Result
from tundish_exporters.agreement import ScoreFunction, agreement
from tundish_exporters.comparison import Comparison
from tundish_exporters.errors import TooFewError
from tundish_exporters.metrics import COSINE, Metric, Rows
from tundish_exporters.metrics.vectors import are_pooled
from tundish_exporters.truths import Truth

CONFIDENCE = 0.95
"""Of intervals, if nobody asks for another."""
_LEAST_VECTORS = 3
"""Of fewer, the nearest other one is the only one."""


class Gauge:
    """Of some samples: what the float model answers, and what is right if that is known."""

    def __init__(
        self,
        float_results: Sequence[Result],
        truths: Sequence[Truth] | None = None,
        metric: Metric | None = None,
        *,
        function: ScoreFunction = "softmax",
        confidence: float = CONFIDENCE,
        groups: Sequence[str] | None = None,
    ) -> None:
        """By the metric if both it and the truths are given, else by agreement, or the cosine of vectors.

        Args:
            float_results: one a sample.
            truths: what is right, one a sample.
            metric: holds answers against it.
            function: what made the scores of a classifier; it says what an answer is.
            confidence: of intervals.
            groups: the group of each sample, if some belong together.

        Raises:
            DataError: the truths are none for such answers.
            TooFewError: the float model's figure is no number.
        """
        self._float_results = float_results
        self._agreement = agreement(float_results, function)
        self._confidence = confidence
        self._groups = groups
        self._right: Sequence[Truth] | Sequence[Result]
        if truths is not None and metric is not None:
            self._metric, self._right = metric, truths
            self._float_rows: Rows | None = metric.rows(float_results, truths)
            _check_figure(metric, self._float_rows)
        else:
            is_vector = isinstance(float_results[0], FeatureExtraction)
            self._metric, self._right = COSINE if is_vector else self._agreement, float_results
            self._float_rows = None

    def compare(self, results: Sequence[Result]) -> Comparison:
        """A variant's answers, one a sample, beside the float model's."""
        is_float = results is self._float_results
        rows = self._float_rows if is_float and self._float_rows is not None else None
        return Comparison(
            metric=self._metric,
            rows=self._metric.rows(results, self._right) if rows is None else rows,
            floating=self._float_rows,
            confidence=self._confidence,
            agreement=None if is_float else self._agreement_beside(results),
            groups=self._groups,
            is_float=is_float,
        )

    def _agreement_beside(self, results: Sequence[Result]) -> float | None:
        """None if it is the metric itself, or vectors have no neighbours to compare."""
        if self._metric is self._agreement:
            return None
        if isinstance(results[0], FeatureExtraction) and not (
            len(results) >= _LEAST_VECTORS and are_pooled([*results, *self._float_results])
        ):
            return None
        return self._agreement.value(self._agreement.rows(results, self._float_results))


def _check_figure(metric: Metric, rows: Rows) -> None:
    figure = metric.value(rows)
    if not math.isfinite(figure):
        samples = "one sample" if len(rows) == 1 else f"the {len(rows)} samples"
        raise TooFewError(
            f"The float model's {metric.name} on {samples} of the gate is {figure}, which nothing can be held against; "
            "give more, or others."
        )
