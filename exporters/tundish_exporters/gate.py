"""The gate: whether a variant's accuracy is close enough to the float variant's to be served.

What counts is the drop from the float variant's figure on the same samples, and how sure that is: see `gauge.py` for
what is measured, and `statistics.py` for the interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tundish.cli.rendering import interval_points, percent, points, samples_of
from tundish.manifest import Accuracy, Gate, SliceAccuracy
from tundish.results import (
    DocumentQuestionAnswering,
    DocumentReading,
    ImageSegmentation,
    ObjectDetection,
    QuestionAnswering,
    Result,
    TextDetection,
    TextRecognition,
    TokenClassification,
)
from tundish_exporters.errors import TooFewError
from tundish_exporters.statistics import samples_for_paired, samples_for_share, units_for_margin

LEAST_BOUNDED = 20
"""Samples of a slice that is held to a bound."""

_BY_THE_FLOAT_MODEL = ("agreement", "cosine")
_ROUNDING = 1e-12
"""A drop of exactly the bound, written in binary, may be so much larger."""
_LEAST_MARGIN = 1e-6
"""What a drop lies below its bound by, if any number of samples is to tell."""


def check_measurable(float_results: Sequence[Result]) -> None:
    """Raises TooFewError if the float variant finds nothing in any sample: then there is nothing to agree with."""
    if not any(_finds(result) for result in float_results):
        samples = "one sample" if len(float_results) == 1 else f"{len(float_results)} samples"
        raise TooFewError(
            f"The float model finds nothing in the {samples} of the gate, so that there is nothing to hold variants "
            "against; give samples of what it finds, or a detector a lower threshold."
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


def judge(
    accuracy: Accuracy, max_drop: float, max_slice_drop: float | None = None, *, confidence: float | None = None
) -> Gate:
    """Whether the accuracy lies at most `max_drop` below its reference, and one sentence that says so.

    With `confidence`, the whole interval of the drop must lie within the bound: the accuracy's own, which is of that
    confidence.

    With `max_slice_drop`, so must the drop of each slice, with a sentence on the worst. Slices of fewer than
    `LEAST_BOUNDED` samples are not held to it: one answer more or less would decide.
    """
    passed = _is_within(accuracy, max_drop)
    if confidence is not None:
        passed = passed and accuracy.interval is not None and accuracy.interval.high <= max_drop + _ROUNDING
    reason = f"{accuracy.metric} {_figures(accuracy)}, {_verdict(accuracy, max_drop, confidence)}."
    if accuracy.agreement is not None:
        reason += f" Agreement with the float model: {accuracy.agreement:.4f}."
    if max_slice_drop is not None:
        bounded = [each for each in accuracy.slices if each.samples >= LEAST_BOUNDED]
        if bounded:
            worst = max(bounded, key=lambda each: each.reference - each.value)
            passed = passed and _is_within(worst, max_slice_drop)
            verdict = _position(worst, max_slice_drop)
            reason += f" The worst slice, '{worst.name}', has {_figures(worst)}, {verdict}."
        if few := len(accuracy.slices) - len(bounded):
            reason += f" Slices with fewer than {LEAST_BOUNDED} samples are not bounded: {few} of them."
    return Gate(passed=passed, max_drop=max_drop, max_slice_drop=max_slice_drop, confidence=confidence, reason=reason)


def units_to_tell(accuracy: Accuracy, max_drop: float) -> int | None:
    """About how many samples, of which as many differ, have an interval of the drop that lies within the bound.

    Of groups, where samples belong together: see `unit_of`. None if no number has: the drop itself does not lie below
    the bound. None also if there is no interval.
    """
    interval, margin = accuracy.interval, max_drop - (accuracy.reference - accuracy.value)
    if interval is None or not margin > _LEAST_MARGIN:
        return None
    samples, confidence = accuracy.samples, interval.confidence
    if accuracy.groups is not None or accuracy.lost is None or accuracy.gained is None:
        reach = interval.high - max_drop + margin
        count = units_for_margin(reach, accuracy.groups or samples, confidence, margin)
    elif accuracy.p_value is None:
        count = samples_for_share(accuracy.lost, samples, confidence, max_drop)
    else:
        count = samples_for_paired(accuracy.lost, accuracy.gained, samples, confidence, max_drop)
    unit: int = 10 ** max(math.floor(math.log10(max(count, 1))) - 1, 0)
    return math.ceil(count / unit) * unit  # two digits say as much as such a guess can


def unit_of(accuracy: Accuracy) -> str:
    """What an interval is taken over, in the plural."""
    return "samples" if accuracy.groups is None else "groups"


def _is_within(accuracy: Accuracy | SliceAccuracy, max_drop: float) -> bool:
    return accuracy.reference - accuracy.value <= max_drop + _ROUNDING


def _figures(accuracy: Accuracy | SliceAccuracy) -> str:
    of_labels = not isinstance(accuracy, Accuracy) or accuracy.metric not in _BY_THE_FLOAT_MODEL
    interval = accuracy.interval
    return (
        f"{accuracy.value:.4f} against {accuracy.reference:.4f} on {samples_of(accuracy)}"
        f"{'' if of_labels else ' without labels'}: a drop of {points(accuracy.reference - accuracy.value)} points"
        f"{'' if interval is None else f', {percent(interval.confidence)} interval {interval_points(interval)}'}"
    )


def _position(accuracy: Accuracy | SliceAccuracy, max_drop: float) -> str:
    return f"{'within' if _is_within(accuracy, max_drop) else 'over'} the bound of {points(max_drop)}"


def _verdict(accuracy: Accuracy, max_drop: float, confidence: float | None) -> str:
    position = _position(accuracy, max_drop)
    if confidence is None or not _is_within(accuracy, max_drop):
        return position
    if accuracy.interval is None:
        return f"{position}, but without an interval that would show {percent(confidence)} confidence"
    if accuracy.interval.high <= max_drop + _ROUNDING:
        return f"wholly {position}"
    count = units_to_tell(accuracy, max_drop)
    of_more = "no number of samples would be, as the drop is the bound"
    if count is not None:
        of_more = f"about {count:,} {unit_of(accuracy)} would be"
    return f"which is not wholly {position}; that of {of_more}"
