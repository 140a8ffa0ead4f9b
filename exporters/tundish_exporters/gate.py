"""The gate: whether a variant's accuracy is close enough to the float variant's to be served.

Measured by what the data allow: with labels, the share that is right; without, the share that agrees with the float
variant; for vectors, the mean cosine to the float variant's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tundish.manifest import Accuracy, Gate
from tundish.results import FeatureExtraction, Result
from tundish_exporters.parity import cosine

_POINTS = 100


def measure(results: Sequence[Result], float_results: Sequence[Result], labels: Sequence[str] | None) -> Accuracy:
    """A variant's accuracy on samples that the float variant answered too; `labels` are the right answers, if known."""
    if isinstance(results[0], FeatureExtraction):
        similarities = [
            cosine(other.vector, result.vector)
            for result, other in zip(results, float_results, strict=True)
            if isinstance(result, FeatureExtraction) and isinstance(other, FeatureExtraction)
        ]
        return Accuracy(metric="cosine", value=float(np.mean(similarities)), reference=1.0, samples=len(results))
    answers, float_answers = _top(results), _top(float_results)
    if labels is None:
        return Accuracy(metric="agreement", value=_share(answers, float_answers), reference=1.0, samples=len(results))
    return Accuracy(
        metric="accuracy",
        value=_share(answers, labels),
        reference=_share(float_answers, labels),
        samples=len(results),
    )


def judge(accuracy: Accuracy, max_drop: float) -> Gate:
    """Whether the accuracy lies at most `max_drop` below its reference, and one sentence that says so."""
    drop = accuracy.reference - accuracy.value
    passed = drop <= max_drop + 1e-12  # a drop of exactly the bound, written in binary
    verdict = "within" if passed else "over"
    return Gate(
        passed=passed,
        max_drop=max_drop,
        reason=(
            f"{accuracy.metric} {accuracy.value:.4f} against {accuracy.reference:.4f} on {accuracy.samples} samples: "
            f"a drop of {drop * _POINTS:.2f} points, {verdict} the bound of {max_drop * _POINTS:.2f}."
        ),
    )


def _top(results: Sequence[Result]) -> list[str]:
    return [result.labels[0].name for result in results if not isinstance(result, FeatureExtraction)]


def _share(answers: Sequence[str], right: Sequence[str]) -> float:
    return sum(answer == truth for answer, truth in zip(answers, right, strict=True)) / len(right)
