"""The gate: whether a variant's accuracy is close enough to the float variant's to be served.

Measured by what the data allow: with labels, the share that is right; without, the share that agrees with the float
variant: on the label, on which labels hold if several may, on the value of a regression or a score, on the objects or
segments of an image, on the entities of a text, on the best answer to a question, on the best token for each mask, on
the regions of texts in an image, on the text of a line. For vectors, the mean cosine to the float variant's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tundish.manifest import Accuracy, Gate, SliceAccuracy
from tundish.results import (
    DocumentQuestionAnswering,
    DocumentReading,
    FeatureExtraction,
    ImageSegmentation,
    ObjectDetection,
    QuestionAnswering,
    Result,
    TextDetection,
    TextRecognition,
    TokenClassification,
)
from tundish_exporters.agreement import ScoreFunction, agreement, labels_of
from tundish_exporters.equality import cosine
from tundish_exporters.errors import DataError

LEAST_BOUNDED = 20
"""Samples of a slice that is held to a bound."""

_POINTS = 100


def check_measurable(float_results: Sequence[Result]) -> None:
    """Raises DataError if the float variant finds nothing in any sample: then there is nothing to agree with."""
    if not any(_finds(result) for result in float_results):
        raise DataError(
            f"The float model finds nothing in the {len(float_results)} samples of the gate, so that there is nothing "
            "to hold variants against; give samples of what it finds, or a detector a lower threshold."
        )


def _finds(result: Result) -> bool:
    match result:
        case ObjectDetection(objects=found) | TokenClassification(entities=found) | ImageSegmentation(segments=found):
            return bool(found)
        case DocumentReading(lines=lines):
            return bool(lines)
        case TextDetection(regions=regions):
            return bool(regions)
        case TextRecognition(text=text):
            return bool(text)
        case QuestionAnswering(answers=answers) | DocumentQuestionAnswering(answers=answers):
            return any(answer.text for answer in answers)
        case _:
            return True


def measure(
    results: Sequence[Result],
    float_results: Sequence[Result],
    labels: Sequence[str] | None,
    *,
    function: ScoreFunction = "softmax",
) -> Accuracy:
    """A variant's accuracy on samples that the float variant answered too.

    Args:
        results: the variant's, one a sample.
        float_results: the float variant's.
        labels: the right answers, if known and if one label is right for each sample.
        function: what made the scores of a classifier; it says what an answer is.
    """
    if isinstance(results[0], FeatureExtraction):
        similarities = [
            cosine(other.vector, result.vector)
            for result, other in zip(results, float_results, strict=True)
            if isinstance(result, FeatureExtraction) and isinstance(other, FeatureExtraction)
        ]
        return Accuracy(metric="cosine", value=float(np.mean(similarities)), reference=1.0, samples=len(results))
    if labels is not None:
        value, reference = _share(_top(results), labels), _share(_top(float_results), labels)
        return Accuracy(metric="accuracy", value=value, reference=reference, samples=len(results))
    value = agreement(results, float_results, function)
    return Accuracy(metric="agreement", value=value, reference=1.0, samples=len(results))


def judge(accuracy: Accuracy, max_drop: float, max_slice_drop: float | None = None) -> Gate:
    """Whether the accuracy lies at most `max_drop` below its reference, and one sentence that says so.

    With `max_slice_drop`, so must that of each slice, with a sentence on the worst. Slices of fewer than
    `LEAST_BOUNDED` samples are not held to it: one answer more or less would decide.
    """
    passed, reason = _within(accuracy, max_drop)
    reason = f"{accuracy.metric} {reason}"
    if max_slice_drop is not None:
        bounded = [each for each in accuracy.slices if each.samples >= LEAST_BOUNDED]
        if bounded:
            worst = max(bounded, key=lambda each: each.reference - each.value)
            all_pass, said = _within(worst, max_slice_drop)
            passed, reason = passed and all_pass, f"{reason} The worst slice, '{worst.name}', has {said}"
        if few := len(accuracy.slices) - len(bounded):
            reason += f" Slices with fewer than {LEAST_BOUNDED} samples are not bounded: {few} of them."
    return Gate(passed=passed, max_drop=max_drop, max_slice_drop=max_slice_drop, reason=reason)


def _within(accuracy: Accuracy | SliceAccuracy, max_drop: float) -> tuple[bool, str]:
    drop = accuracy.reference - accuracy.value
    passed = drop <= max_drop + 1e-12  # a drop of exactly the bound, written in binary
    verdict = "within" if passed else "over"
    return passed, (
        f"{accuracy.value:.4f} against {accuracy.reference:.4f} on {accuracy.samples} samples: "
        f"a drop of {round(drop * _POINTS, 2) + 0.0:.2f} points, {verdict} the bound of {max_drop * _POINTS:.2f}."
    )


def _top(results: Sequence[Result]) -> list[str | None]:
    """The first label of each result; None, which is never right, if a score is not a number."""
    return [
        labels[0].name if np.isfinite([label.score for label in labels]).all() else None
        for labels in labels_of(results)
    ]


def _share(answers: Sequence[str | None], right: Sequence[str | None]) -> float:
    return sum(answer == truth for answer, truth in zip(answers, right, strict=True)) / len(right)
