"""The gate: whether a variant's accuracy is close enough to the float variant's to be served.

Measured by what the data allow: with labels, the share that is right; without, the share that agrees with the float
variant: on the label, on which labels hold if several may, on the value of a regression, on the objects in an image, on
the entities of a text. For vectors, the mean cosine to the float variant's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tundish.manifest import Accuracy, Gate, SliceAccuracy
from tundish.results import (
    Box,
    DetectedObject,
    FeatureExtraction,
    ImageClassification,
    Label,
    ObjectDetection,
    Result,
    TextClassification,
    TokenClassification,
)
from tundish_exporters.errors import DataError
from tundish_exporters.parity import cosine

LEAST_BOUNDED = 20
"""Samples of a slice that is held to a bound."""

_POINTS = 100
_HOLDS = 0.5
"""The score from which on a label of a sigmoid holds."""
_VALUE_TOLERANCE = 0.02
"""Of a regression's range."""
_OVERLAP = 0.5
"""The intersection over union from which on two boxes show the same object."""

ScoreFunction = Literal["softmax", "sigmoid", "none"]


def check_measurable(float_results: Sequence[Result]) -> None:
    """Raises DataError if the float variant finds nothing in any sample: then there is nothing to agree with."""
    if not any(_finds(result) for result in float_results):
        raise DataError(
            f"The float model finds nothing in the {len(float_results)} samples of the gate, so that there is nothing "
            "to hold variants against; give samples of what it finds, or a detector a lower threshold."
        )


def _finds(result: Result) -> bool:
    match result:
        case ObjectDetection(objects=found) | TokenClassification(entities=found):
            return bool(found)
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
    if isinstance(results[0], ObjectDetection):
        value = _same_objects(_objects(results), _objects(float_results))
        return Accuracy(metric="agreement", value=value, reference=1.0, samples=len(results))
    if isinstance(results[0], TokenClassification):
        value = _same_entities(_places(results), _places(float_results))
        return Accuracy(metric="agreement", value=value, reference=1.0, samples=len(results))
    if labels is not None:
        value, reference = _share(_top(results), labels), _share(_top(float_results), labels)
        return Accuracy(metric="accuracy", value=value, reference=reference, samples=len(results))
    agreement = {"softmax": _same_label, "sigmoid": _same_labels, "none": _same_value}[function]
    value = agreement(_labels(results), _labels(float_results))
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
        f"a drop of {drop * _POINTS:.2f} points, {verdict} the bound of {max_drop * _POINTS:.2f}."
    )


def _labels(results: Sequence[Result]) -> list[Sequence[Label]]:
    return [result.labels for result in results if isinstance(result, ImageClassification | TextClassification)]


def _objects(results: Sequence[Result]) -> list[Sequence[DetectedObject]]:
    return [result.objects for result in results if isinstance(result, ObjectDetection)]


def _places(results: Sequence[Result]) -> list[Counter[tuple[str, int, int]]]:
    return [
        Counter(entity.place for entity in result.entities)
        for result in results
        if isinstance(result, TokenClassification)
    ]


def _same_entities(
    rows: Sequence[Counter[tuple[str, int, int]]], others: Sequence[Counter[tuple[str, int, int]]]
) -> float:
    """The F1 of label, start and end over the entities of all samples."""
    common = sum((row & other).total() for row, other in zip(rows, others, strict=True))
    found = sum(row.total() + other.total() for row, other in zip(rows, others, strict=True))
    return _f1(common, found)


def _top(results: Sequence[Result]) -> list[str | None]:
    """The first label of each result; None, which is never right, if a score is not a number."""
    return [
        labels[0].name if np.isfinite([label.score for label in labels]).all() else None for labels in _labels(results)
    ]


def _share(answers: Sequence[str | None], right: Sequence[str | None]) -> float:
    return sum(answer == truth for answer, truth in zip(answers, right, strict=True)) / len(right)


def _same_label(rows: Sequence[Sequence[Label]], others: Sequence[Sequence[Label]]) -> float:
    """One label is right: the share of samples with the same first one."""
    same = [row[0].name == other[0].name and _is_finite(row) for row, other in zip(rows, others, strict=True)]
    return float(np.mean(same))


def _same_labels(rows: Sequence[Sequence[Label]], others: Sequence[Sequence[Label]]) -> float:
    """Each label holds or does not: the share of samples on which the same ones do."""
    same = [_holding(row) == _holding(other) and _is_finite(row) for row, other in zip(rows, others, strict=True)]
    return float(np.mean(same))


def _same_value(rows: Sequence[Sequence[Label]], others: Sequence[Sequence[Label]]) -> float:
    """A score is a quantity: the share of samples on which it differs by little of its range over them all."""
    values, wanted = _scores_by_name(rows), _scores_by_name(others)
    tolerance = _VALUE_TOLERANCE * np.ptp(wanted, axis=0)
    return float(np.mean((np.abs(values - wanted) <= tolerance).all(axis=1)))


def _scores_by_name(rows: Sequence[Sequence[Label]]) -> NDArray[np.float64]:
    """`[samples, labels]`, in the order of the labels' names; a regression lists all of its labels for each sample."""
    return np.array([[label.score for label in sorted(row, key=lambda label: label.name)] for row in rows])


def _holding(row: Sequence[Label]) -> set[str]:
    return {label.name for label in row if label.score >= _HOLDS}


def _is_finite(row: Sequence[Label]) -> bool:
    return bool(np.isfinite([label.score for label in row]).all())


def _same_objects(rows: Sequence[Sequence[DetectedObject]], others: Sequence[Sequence[DetectedObject]]) -> float:
    """The F1 of the objects of all samples that have a partner, an object of the same label in the same place."""
    partners = sum(_partners(row, other) for row, other in zip(rows, others, strict=True))
    return _f1(partners, sum(map(len, rows)) + sum(map(len, others)))


def _f1(common: int, found: int) -> float:
    """Of what two have in common, and what both have found; 1 where neither finds any."""
    return 2 * common / found if found else 1.0


def _partners(row: Sequence[DetectedObject], others: Sequence[DetectedObject]) -> int:
    """How many pairs there are: the highest score chooses first, each the nearest that is left."""
    left = list(others)
    for found in row:
        alike = [other for other in left if other.label == found.label and overlap(found.box, other.box) >= _OVERLAP]
        if alike:
            left.remove(max(alike, key=lambda other: overlap(found.box, other.box)))
    return len(others) - len(left)


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes; 1 for equal ones, also if they have no area."""
    if first == second:
        return 1.0
    width = min(first.x_max, second.x_max) - max(first.x_min, second.x_min)
    height = min(first.y_max, second.y_max) - max(first.y_min, second.y_min)
    shared = max(width, 0.0) * max(height, 0.0)
    union = _area(first) + _area(second) - shared
    return shared / union if union > 0 else 0.0


def _area(box: Box) -> float:
    return (box.x_max - box.x_min) * (box.y_max - box.y_min)
