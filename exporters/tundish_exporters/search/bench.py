"""Measures recipes, one by one engine at a time, and remembers what earlier searches have measured."""

from __future__ import annotations

from tundish.engines import check_tensors
from tundish.manifest import Accuracy, EngineName, ModelSpec
from tundish_exporters.candidates import Candidate
from tundish_exporters.judging import Judge
from tundish_exporters.quantize.recipe import Recipe
from tundish_exporters.search.cache import Measured, TrialCache
from tundish_exporters.search.stopwatch import Pace, Stopwatch
from tundish_exporters.search.workshop import Workshop


class Bench:
    """What a search measures with."""

    def __init__(
        self, spec: ModelSpec, workshop: Workshop, stopwatch: Stopwatch, judge: Judge, cache: TrialCache
    ) -> None:
        self._spec = spec
        self._workshop = workshop
        self._stopwatch = stopwatch
        self._judge = judge
        self._cache = cache
        self._measured: set[tuple[Recipe, EngineName]] = set()

    def is_remembered(self, recipe: Recipe, engine: EngineName) -> bool:
        """Whether all that is known of it was measured by an earlier search."""
        return (recipe, engine) not in self._measured and self._cache.find(recipe, engine) is not None

    def candidate(self, recipe: Recipe, engine: EngineName) -> Candidate:
        """With its file; raises ExportError if that cannot be made."""
        return Candidate(engine, recipe.precision, self._workshop.make(recipe), recipe.description)

    def race(self, recipe: Recipe, engine: EngineName) -> Pace:
        """How fast it is; raises ExportError if it cannot be made, EngineError if the engine does not take it."""
        if known := self._cache.find(recipe, engine):
            return known.pace
        candidate = self.candidate(recipe, engine)
        loaded = candidate.load(threads=1)
        check_tensors(loaded, self._spec, candidate.path)
        pace = self._stopwatch.measure(loaded)
        self._keep(recipe, engine, pace, None)
        return pace

    def accuracy(self, recipe: Recipe, engine: EngineName, pace: Pace) -> Accuracy:
        """How accurate it is; raises what `Judge.measure` and `candidate` do."""
        known = self._cache.find(recipe, engine)
        if known is not None and known.accuracy is not None:
            return known.accuracy
        accuracy = self._judge.measure(self.candidate(recipe, engine))
        self._keep(recipe, engine, pace, accuracy)
        return accuracy

    def _keep(self, recipe: Recipe, engine: EngineName, pace: Pace, accuracy: Accuracy | None) -> None:
        measured = Measured(
            recipe=recipe.name,
            engine=engine,
            milliseconds=pace.milliseconds,
            speedup=pace.speedup,
            accuracy=accuracy,
        )
        self._cache.keep(recipe, measured)
        self._measured.add((recipe, engine))
