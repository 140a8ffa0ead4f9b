"""Measures recipes, one by one engine at a time, and remembers what earlier searches have measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tundish.engines import check_tensors
from tundish.errors import EngineError
from tundish.manifest import Accuracy, EngineName, ModelSpec
from tundish_exporters.candidates import Candidate
from tundish_exporters.errors import DataError, ExportError
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
        """How fast it is; raises ExportError if it cannot be made, or the engine does not take it."""
        known = self._cache.find(recipe, engine)
        if known is not None and known.pace is not None:
            return known.pace
        _raise_fault(known)
        with self._keeping_faults(recipe, engine, None):
            candidate = self.candidate(recipe, engine)
            loaded = candidate.load(threads=1)
            check_tensors(loaded, self._spec, candidate.path)
            pace = self._stopwatch.measure(loaded)
        self._keep(recipe, engine, pace)
        return pace

    def accuracy(self, recipe: Recipe, engine: EngineName, pace: Pace) -> Accuracy:
        """How accurate it is; raises DataError as `Judge.measure` does, and ExportError if it cannot be measured."""
        known = self._cache.find(recipe, engine)
        if known is not None and known.accuracy is not None:
            return known.accuracy
        _raise_fault(known)
        with self._keeping_faults(recipe, engine, pace):
            accuracy = self._judge.measure(self.candidate(recipe, engine))
        self._keep(recipe, engine, pace, accuracy)
        return accuracy

    @contextmanager
    def _keeping_faults(self, recipe: Recipe, engine: EngineName, pace: Pace | None) -> Iterator[None]:
        """What goes wrong here is the recipe's fault, and would go wrong the next time; but for that of the data."""
        try:
            yield
        except DataError:
            raise
        except (ExportError, EngineError) as error:
            fault = str(error).replace(f"{self._workshop.directory}/", "")
            if not _is_of_the_moment(error):
                self._keep(recipe, engine, pace, fault=fault)
            raise ExportError(fault) from error

    def _keep(
        self,
        recipe: Recipe,
        engine: EngineName,
        pace: Pace | None,
        accuracy: Accuracy | None = None,
        fault: str | None = None,
    ) -> None:
        measured = Measured(recipe=recipe.name, engine=engine, pace=pace, accuracy=accuracy, fault=fault)
        self._cache.keep(recipe, measured)
        self._measured.add((recipe, engine))


def _raise_fault(known: Measured | None) -> None:
    if known is not None and known.fault is not None:
        raise ExportError(known.fault)


def _is_of_the_moment(error: BaseException) -> bool:
    """Whether what is behind it is a machine without memory or disk, which may have some the next time."""
    cause = error.__cause__
    return cause is not None and (isinstance(cause, OSError | MemoryError) or _is_of_the_moment(cause))
