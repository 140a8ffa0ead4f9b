"""Whether a variant answers as the reference does: an engine that is fast and wrong must not be taken for fast.

What is held against the reference depends on what the inputs can tell. Of a user's own, the typed answers must agree
as often as the bundle says that they did when the gate measured them, within what chance explains. Of made ones typed
answers mean little (the first of a thousand labels for noise changes with the last bit), and the engine's outputs must
be like the reference's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from tundish.errors import TundishError
from tundish.manifest import ClassificationPostprocess, ModelSpec, Variant
from tundish.results import FeatureExtraction, Result
from tundish_bench.errors import BenchmarkError
from tundish_bench.in_process.contestant import Answered, Contestant
from tundish_bench.in_process.inputs import Inputs
from tundish_exporters.agreement import agreement
from tundish_exporters.metrics import COSINE

_MOST_ITEMS = 100
_SIGNIFICANT = 0.001
_EQUAL_SAMPLES = 100
"""What an agreement of 1 is taken to be known by, where the bundle says that a variant equals its source."""
_COSINE_LOSS = 0.05
"""Of vectors, whose likeness is a mean and no count."""
_LIKE = 0.5
"""The least likeness of outputs; of an int8 variant that works it is above 0.9, of one that is broken below 0."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was seen of a variant's answers."""

    agreement: float
    """The share of its answers that are the reference's, as the gate counts them; of tensors their likeness."""
    fault: str | None = None
    """Why its speed would mean nothing, as the rest of a sentence; None if nothing speaks against it."""


class Referee:
    """Knows the reference's answers."""

    def __init__(self, spec: ModelSpec, reference: Contestant, inputs: Inputs) -> None:
        """Raises BenchmarkError if the reference has no answer to an item."""
        self._items = inputs.items[:_MOST_ITEMS]
        self._are_real = inputs.are_real
        try:
            self._answers = [reference.answer(item) for item in self._items]
        except TundishError as error:
            raise BenchmarkError(f"The reference {reference.name} cannot answer an input: {error}") from error
        postprocess = spec.postprocess
        self._function = postprocess.function if isinstance(postprocess, ClassificationPostprocess) else "softmax"

    def judge(self, contestant: Contestant) -> Verdict:
        """Asks the contestant for each item alone."""
        try:
            answers = [contestant.answer(item) for item in self._items]
        except TundishError as error:
            return Verdict(0.0, f"cannot answer an input: {error}")
        like = likeness([each.outputs for each in answers], [each.outputs for each in self._answers])
        results, wanted = _results(answers), _results(self._answers)
        if not wanted:
            return Verdict(like or 0.0, _unlike(like))
        metric = COSINE if isinstance(wanted[0], FeatureExtraction) else agreement(wanted, self._function)
        share = metric.value(metric.rows(results, wanted))
        if self._are_real or metric is COSINE:
            return Verdict(share, _unlike_recorded(share, len(answers), contestant.variant, metric is COSINE))
        return Verdict(share, _unlike(share if like is None else like))


def likeness(outputs: Sequence[dict[str, NDArray[Any]]], wanted: Sequence[dict[str, NDArray[Any]]]) -> float | None:
    """Of the output that is least like the one wanted: 1 if they are the same, 0 or less if nothing is common to them.

    Of floats, 1 less the square of the relative error of all of them together; of integers, how many are the same. None
    where shapes differ, as lists of what was found do.
    """
    shapes = [[{name: array.shape for name, array in each.items()} for each in side] for side in (outputs, wanted)]
    if shapes[0] != shapes[1]:
        return None
    return min(
        _alike(*(np.concatenate([each[name].ravel() for each in side]) for side in (outputs, wanted)))
        for name in wanted[0]
    )


def _alike(actual: NDArray[Any], wanted: NDArray[Any]) -> float:
    if not np.issubdtype(wanted.dtype, np.floating):
        return float(np.mean(actual == wanted))
    actual, wanted = actual.astype(np.float64), wanted.astype(np.float64)
    if not np.isfinite(actual).all():
        return float("-inf")
    missed, whole = float(np.sum((actual - wanted) ** 2)), float(np.sum(wanted**2))
    if whole == 0:
        return 1.0 if missed == 0 else 0.0
    return 1 - missed / whole


def _results(answers: Sequence[Answered]) -> list[Result]:
    return [each.result for each in answers if each.result is not None]


def _unlike(like: float | None) -> str | None:
    """None if outputs, or answers to made inputs, are like enough."""
    if like is not None and like >= _LIKE:
        return None
    return f"gives other outputs than the reference: their likeness is {like or 0:.2f}, where 1 is the same"


def _unlike_recorded(share: float, count: int, variant: Variant, is_mean: bool) -> str | None:
    """None if the share is no less than the bundle makes expect."""
    recorded, samples = _recorded(variant)
    if is_mean:
        is_less = share < recorded - _COSINE_LOSS
    else:
        agreed, agreed_then = round(share * count), round(recorded * samples)
        table = [[agreed, count - agreed], [agreed_then, samples - agreed_then]]
        is_less = float(fisher_exact(table, alternative="less").pvalue) < _SIGNIFICANT
    if not is_less:
        return None
    return (
        f"agrees with the reference by {100 * share:.1f} % on {count} inputs, where the bundle makes expect "
        f"{100 * recorded:.1f} %"
    )


def _recorded(variant: Variant) -> tuple[float, int]:
    """The agreement with the float model that the bundle has, and by how many samples."""
    accuracy = variant.accuracy
    if accuracy is None:
        return 1.0, _EQUAL_SAMPLES
    if accuracy.metric in ("agreement", "cosine"):
        return accuracy.value, accuracy.samples
    return 1.0 if accuracy.agreement is None else accuracy.agreement, accuracy.samples
