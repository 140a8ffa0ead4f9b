"""One recipe by one engine: what was measured of it, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tundish.manifest import Accuracy, EngineName, Gate, Precision
from tundish_exporters.quantize.recipe import Recipe

Outcome = Literal["passed", "failed", "slower", "impossible", "not tried"]
"""Passed the gate; did not; was not faster than what had passed, and so was not judged; could not be made or loaded; or
the time was up."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Measured against the float network in ONNX Runtime in the same run, on one thread, on the selection half."""

    recipe: Recipe
    engine: EngineName
    outcome: Outcome
    reason: str
    """One sentence with the figures."""
    milliseconds: float | None = None
    """Of a call with one item; None if there was none."""
    speedup: float | None = None
    """How often the float network takes as long."""
    accuracy: Accuracy | None = None
    gate: Gate | None = None

    @property
    def name(self) -> str:
        """Unique in a search."""
        return f"{self.recipe.name} by {self.engine}"

    @property
    def precision(self) -> Precision:
        """What most of the network is computed in."""
        return self.recipe.precision

    @property
    def drop(self) -> float | None:
        """Of the metric, as a share; None if it was not judged."""
        return None if self.accuracy is None else self.accuracy.reference - self.accuracy.value


def front(trials: list[Trial]) -> list[Trial]:
    """The judged trials that no other one beats in both speed and accuracy, the fastest first."""
    judged = [trial for trial in trials if trial.drop is not None and trial.speedup is not None]
    best: list[Trial] = []
    for trial in sorted(judged, key=lambda each: (-(each.speedup or 0.0), each.drop or 0.0)):
        if not best or (trial.drop or 0.0) < (best[-1].drop or 0.0):
            best.append(trial)
    return best
