"""Which candidates are measured to the end: the float ones, and of each engine and precision the most promising."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tundish.engines import Arrays
from tundish.errors import EngineError
from tundish.manifest import Gate, ModelSpec
from tundish_exporters.candidates import Candidate, installed_engines
from tundish_exporters.errors import ExportError
from tundish_exporters.export_data import GateData
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.judging import Judge
from tundish_exporters.progress import Progress
from tundish_exporters.quantize import Recipe
from tundish_exporters.quantize.sensitivity import LayerError
from tundish_exporters.search.bar import SearchBar
from tundish_exporters.search.bench import Bench
from tundish_exporters.search.budget import Budget
from tundish_exporters.search.cache import TrialCache, common_hash
from tundish_exporters.search.searching import Search
from tundish_exporters.search.stopwatch import Stopwatch
from tundish_exporters.search.trial import Trial, drop_of, speedup_of
from tundish_exporters.search.workshop import Workshop

_MOST_TRIED = 3
"""Of one engine and precision, on the data that are kept for the report. Whoever asks these often enough is flattered
in the end."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A candidate, and the trial that it comes from if there was a search."""

    candidate: Candidate
    trial: Trial | None = None

    @property
    def fault(self) -> Gate | None:
        """The verdict on the half of the data that the search saw, if that was not passed."""
        return None if self.trial is None or self.trial.outcome == "passed" else self.trial.gate


@dataclass(frozen=True, slots=True)
class Shortlist:
    """What is measured to the end."""

    places: tuple[tuple[Contender, ...], ...] = ()
    """One for each engine and precision that a variant of the bundle may have; the best first, the others in case that
    it does not pass."""
    trials: tuple[Trial, ...] = ()
    layers: tuple[LayerError, ...] = ()
    """Of the recipe that is behind the fastest that passed, the worst first; none if they cannot be told apart."""
    was_interrupted: bool = False


def first_guess(
    recipes: Sequence[Recipe], floating: Candidate, calibration: Sequence[Arrays], progress: Progress
) -> Shortlist:
    """The most promising recipe by each engine, unmeasured: an export that does not search.

    Raises:
        ExportError: its file cannot be made.
    """
    if not recipes:
        return Shortlist()
    recipe = recipes[0]
    path = Workshop(floating.path, calibration, progress).make(recipe)
    return Shortlist(
        tuple(
            (Contender(Candidate(engine, recipe.precision, path, recipe.description)),)
            for engine in installed_engines(recipe)
        )
    )


def search_shortlist(
    recipes: Sequence[Recipe],
    floating: Candidate,
    calibration: Sequence[Arrays],
    inputs: Sequence[Arrays],
    spec: ModelSpec,
    judge: Judge,
    samples: GateData,
    options: ExportOptions,
    progress: Progress,
) -> Shortlist:
    """What a search of `options.search_minutes` finds, by the judge of the samples that it may see.

    Raises:
        DataError: a sample cannot be answered.
    """
    budget = Budget(options.search_minutes)
    bar = SearchBar(progress, budget)
    workshop = Workshop(floating.path, calibration, bar)
    cache = TrialCache(
        options.repository / ".tundish" / "search",
        common_hash(floating.path, calibration, samples.samples, str(samples.metric and samples.metric.name)),
    )
    stopwatch = Stopwatch(floating.load(threads=1), inputs)
    bench = Bench(spec, workshop, stopwatch, judge, cache)
    search = Search(bench, workshop, judge.verdict, budget, bar)
    search.run(recipes)
    return Shortlist(
        tuple(_places(search.trials, bench)),
        tuple(search.trials),
        tuple(_layers(search.trials, workshop)),
        search.is_interrupted,
    )


def _layers(trials: Sequence[Trial], workshop: Workshop) -> list[LayerError]:
    """Of the fastest that passed, or of the fastest that was judged, as if it kept none in float."""
    judged = [trial for trial in trials if trial.gate is not None]
    best = max(judged, key=lambda trial: (trial.outcome == "passed", speedup_of(trial)), default=None)
    if best is None:
        return []
    try:
        return workshop.errors(best.whole or best.recipe)
    except (ExportError, EngineError):
        return []  # its layers cannot be told apart


def _places(trials: Sequence[Trial], bench: Bench) -> Iterator[tuple[Contender, ...]]:
    """The fastest that passed; or what lost the least, to be recorded with its figures."""
    judged = [trial for trial in trials if trial.gate is not None]
    for engine, precision in sorted({(trial.engine, trial.precision) for trial in judged}):
        here = [trial for trial in judged if (trial.engine, trial.precision) == (engine, precision)]
        passed = sorted((trial for trial in here if trial.outcome == "passed"), key=speedup_of, reverse=True)
        chosen = passed[:_MOST_TRIED] or [min(here, key=drop_of)]
        yield tuple(Contender(bench.candidate(trial.recipe, engine), trial) for trial in chosen)
