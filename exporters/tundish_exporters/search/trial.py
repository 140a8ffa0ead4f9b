"""One recipe by one engine: what was measured of it, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tundish.manifest import Accuracy, EngineName, Gate, Precision

if TYPE_CHECKING:  # the command shows trials before ONNX is needed, which may not be installed
    from tundish_exporters.quantize.recipe import Recipe

Outcome = Literal["passed", "failed", "slower", "impossible", "not tried"]
"""Passed the gate; did not; was not faster than what had passed, and so was not judged; could not be made or loaded, or
failed on a sample that the float model answers; or the time was up."""

_SAME_SPEED = 0.03
"""By how much two measurements of one file differ."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Measured against the float network in ONNX Runtime in the same run, on one thread, on the selection half."""

    recipe: Recipe
    engine: EngineName
    outcome: Outcome
    reason: str
    """One sentence with the figures."""
    kept: tuple[str, ...] = ()
    """The layers that were left in float because the recipe without them failed, the worst first."""
    whole: Recipe | None = None
    """That recipe, if there are any."""
    milliseconds: float | None = None
    """Of a call with one item; None if there was none."""
    speedup: float | None = None
    """How often the float network takes as long."""
    accuracy: Accuracy | None = None
    gate: Gate | None = None
    is_remembered: bool = False
    """Whether all of it was measured by an earlier search."""

    @property
    def name(self) -> str:
        """Unique in a search."""
        return f"{self.recipe.name} by {self.engine}"

    @property
    def precision(self) -> Precision:
        """What most of the network is computed in."""
        return self.recipe.precision


def speedup_of(trial: Trial) -> float:
    """0 if it was not measured."""
    return trial.speedup or 0.0


def drop_of(trial: Trial) -> float:
    """Of the metric; all of it if it was not judged."""
    return 1.0 if trial.accuracy is None else trial.accuracy.reference - trial.accuracy.value


def best_first(passed: Sequence[Trial]) -> list[Trial]:
    """The fastest first; of those that are as fast as far as can be told, what answers most like the float one."""
    fastest = max(map(speedup_of, passed), default=0.0)

    def order(trial: Trial) -> tuple[bool, float, float]:
        is_as_fast = speedup_of(trial) >= (1 - _SAME_SPEED) * fastest
        return (not is_as_fast, -_likeness(trial) if is_as_fast else 0.0, -speedup_of(trial))

    return sorted(passed, key=order)


def _likeness(trial: Trial) -> float:
    """How often its answers are the float model's, where that is known, and how good they are where it is not."""
    if trial.accuracy is None:
        return 0.0
    return trial.accuracy.value if trial.accuracy.agreement is None else trial.accuracy.agreement


def how_many_remembered(trials: Sequence[Trial]) -> str:
    """In a sentence, how many of these an earlier search has measured, or found to be impossible; empty if none."""
    count = sum(trial.is_remembered for trial in trials)
    tried = sum(trial.outcome != "not tried" for trial in trials)
    return f"Remembered from an earlier search: {count} of {tried} trials." if count else ""


def why_none(trials: Sequence[Trial]) -> str:
    """In a sentence, why no trial of a search was judged."""
    tried = [trial for trial in trials if trial.outcome != "not tried"]
    if not tried:
        return "no recipe was judged before the search ended."
    if all(trial.outcome == "impossible" for trial in tried):
        first = tried[0]
        return f"no recipe can be made and judged. The first, {first.name}: {first.reason}"
    fastest = max(tried, key=speedup_of)
    return f"no recipe that can be made is faster. The fastest, {fastest.name}: {fastest.reason}"


def front(trials: Sequence[Trial]) -> list[Trial]:
    """The judged trials that no other one beats in both speed and accuracy, the fastest first."""
    judged = [trial for trial in trials if trial.accuracy is not None]
    best: list[Trial] = []
    for trial in sorted(judged, key=lambda each: (-speedup_of(each), drop_of(each))):
        if not best or drop_of(trial) < drop_of(best[-1]):
            best.append(trial)
    return best
