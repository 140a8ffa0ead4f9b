"""The search over recipes: what is fastest on this machine among what passes the gate.

First each recipe, the most promising one first: its file is made, loaded in each engine that can gain by it and raced
against the float network; what is slower than what has passed on that engine waits. The others are judged on one half
of the gate's data. Then some that are almost as fast as what has passed are judged, since the other half of the data
may refuse that. Recipes that were fast enough but failed are tried again with their worst layers in float. With the
time that is left, the others that waited are judged too, for they may lose less accuracy. The other half of the data is
kept for the report, so that the search cannot flatter itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from tundish.errors import EngineError
from tundish.manifest import Accuracy, EngineName, Gate
from tundish_exporters.candidates import installed_engines
from tundish_exporters.errors import DataError, ExportError
from tundish_exporters.quantize.recipe import Recipe
from tundish_exporters.search.bar import SearchBar
from tundish_exporters.search.bench import Bench
from tundish_exporters.search.budget import Budget
from tundish_exporters.search.stopwatch import Pace
from tundish_exporters.search.trial import Outcome, Trial, speedup_of
from tundish_exporters.search.workshop import Workshop

_LEAST_GAIN = 1.02
"""A speed-up of less is noise, and no reason to lose accuracy."""
_RESERVES = 2
"""For each engine."""
_ALMOST = 0.9
"""As fast as that which has passed."""


class Search:
    """One search; its trials stand in `trials`, whatever ends it."""

    def __init__(
        self, bench: Bench, workshop: Workshop, verdict: Callable[[Accuracy], Gate], budget: Budget, bar: SearchBar
    ) -> None:
        self.trials: list[Trial] = []
        self.is_interrupted = False
        """By Ctrl-C: the best so far is taken."""
        self._bench = bench
        self._workshop = workshop
        self._verdict = verdict
        self._budget = budget
        self._bar = bar

    def run(self, recipes: Sequence[Recipe]) -> None:
        """Tries the recipes until the budget is spent or somebody presses Ctrl-C; the first one in any case.

        Raises:
            DataError: a sample of the gate cannot be read, or is nothing that variants could be held against.
        """
        try:
            for recipe in recipes:
                self._try(recipe, in_any_case=recipe is recipes[0])
            self._judge(self._reserves())
            for trial in self._failures():
                self._keep_worst_layers(trial)
            self._judge(self._waiting())
        except KeyboardInterrupt:
            self.is_interrupted = True
        self._bar.finish()

    def _try(self, recipe: Recipe, *, in_any_case: bool) -> None:
        for engine in installed_engines(recipe):
            if self._budget.is_spent and not in_any_case:
                self.trials.append(Trial(recipe, engine, "not tried", "The time was up before its turn."))
            else:
                self._attempt(recipe, engine)

    def _attempt(
        self, recipe: Recipe, engine: EngineName, kept: Sequence[str] = (), whole: Recipe | None = None
    ) -> Trial:
        tried, is_remembered = self._tried(recipe, engine), self._bench.is_remembered(recipe, engine)
        trial = replace(tried, kept=tuple(kept), whole=whole, is_remembered=is_remembered)
        self.trials.append(trial)
        self._tidy(recipe)
        return trial

    def _tried(self, recipe: Recipe, engine: EngineName) -> Trial:
        self._bar.trial = f"{recipe.name} by {engine}"
        try:
            pace = self._bench.race(recipe, engine)
        except ExportError as error:
            return Trial(recipe, engine, "impossible", str(error))
        if pace.speedup < _LEAST_GAIN:
            return _slower(recipe, engine, pace, "no faster than that")
        best = self.best(engine)
        if best is not None and pace.speedup <= speedup_of(best):
            return _slower(
                recipe, engine, pace, f"{best.recipe.name} is {speedup_of(best):.2f} times as fast and passes"
            )
        return self._judged(recipe, engine, pace)

    def _judged(self, recipe: Recipe, engine: EngineName, pace: Pace) -> Trial:
        trial = Trial(recipe, engine, "impossible", "", milliseconds=pace.milliseconds, speedup=pace.speedup)
        try:
            accuracy = self._bench.accuracy(recipe, engine, pace)
        except DataError:
            raise
        except ExportError as error:
            return replace(trial, reason=str(error))
        gate = self._verdict(accuracy)
        outcome: Outcome = "passed" if gate.passed else "failed"
        trial = replace(trial, outcome=outcome, reason=gate.reason, accuracy=accuracy, gate=gate)
        best = max((each for each in [*self.trials, trial] if each.outcome == "passed"), key=speedup_of, default=None)
        self._bar.best = "" if best is None else f"best {speedup_of(best):.2f}x {best.name}"
        return trial

    def best(self, engine: EngineName) -> Trial | None:
        """The fastest by this engine that has passed."""
        passed = (each for each in self.trials if each.engine == engine and each.outcome == "passed")
        return max(passed, key=speedup_of, default=None)

    def _failures(self) -> list[Trial]:
        """What failed the gate, the fastest first."""
        failed = [each for each in self.trials if each.outcome == "failed"]
        return sorted(failed, key=speedup_of, reverse=True)

    def _keep_worst_layers(self, failed: Trial) -> None:
        """Doubles the number of layers in float until the gate passes, and then halves the step, back to the fewest.

        It ends where keeping more has made the recipe slower than what passes already.
        """
        if self._budget.is_spent or not self._would_be_best(failed):
            return
        self._bar.trial = f"{failed.name}, layers"
        try:
            worst = [layer.node for layer in self._workshop.errors(failed.recipe)]
        except (ExportError, EngineError):
            return  # layers cannot be told apart, so that all of them stay as they are
        # With most layers in float it would be the float network with a few rounded layers.
        too_few, enough, count = 0, len(worst) // 2 + 1, 1
        passed = False
        while too_few < count < enough and not self._budget.is_spent:
            mixed = failed.recipe.keeping(frozenset(worst[:count]))
            outcome = self._attempt(mixed, failed.engine, worst[:count], failed.recipe).outcome
            if outcome == "passed":
                passed, enough = True, count
            elif outcome == "failed":
                too_few = count
            else:
                return
            count = (too_few + enough) // 2 if passed else 2 * count

    def _would_be_best(self, trial: Trial) -> bool:
        best = self.best(trial.engine)
        return best is None or speedup_of(trial) > speedup_of(best)

    def _waiting(self) -> list[Trial]:
        """What was slower than what had passed and so was not judged, the fastest first."""
        waiting = [each for each in self.trials if each.outcome == "slower" and _is_promising(each)]
        return sorted(waiting, key=speedup_of, reverse=True)

    def _reserves(self) -> Iterator[Trial]:
        """Those that may take the place of what has passed: it may fail on other samples, or be less like float."""
        taken = Counter[EngineName]()
        for trial in self._waiting():
            best = self.best(trial.engine)
            if best is not None and speedup_of(trial) >= _ALMOST * speedup_of(best):
                taken[trial.engine] += 1
                if taken[trial.engine] <= _RESERVES:
                    yield trial

    def _judge(self, waiting: Iterable[Trial]) -> None:
        for trial in waiting:
            if self._budget.is_spent:
                return
            self._bar.trial = trial.name
            pace = Pace(trial.milliseconds or 0.0, speedup_of(trial))
            judged = self._judged(trial.recipe, trial.engine, pace)
            is_remembered = self._bench.is_remembered(trial.recipe, trial.engine)
            kept = replace(judged, kept=trial.kept, whole=trial.whole, is_remembered=is_remembered)
            self.trials[self.trials.index(trial)] = kept
            self._tidy(trial.recipe)

    def _tidy(self, recipe: Recipe) -> None:
        """Removes the file of what nobody will ask for again."""
        if not any(each.recipe == recipe and _is_promising(each) for each in self.trials):
            self._workshop.discard(recipe)


def _is_promising(trial: Trial) -> bool:
    """Whether it was judged, or waits for that."""
    return trial.accuracy is not None or (trial.outcome == "slower" and speedup_of(trial) >= _LEAST_GAIN)


def _slower(recipe: Recipe, engine: EngineName, pace: Pace, than: str) -> Trial:
    reason = f"It is {pace.speedup:.2f} times as fast as fp32 in ONNX Runtime: {than}."
    return Trial(recipe, engine, "slower", reason, milliseconds=pace.milliseconds, speedup=pace.speedup)
