"""Which candidates are measured to the end: the float ones, and of each engine and precision the most promising."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tundish.errors import EngineError
from tundish.manifest import Gate, Precision
from tundish_exporters.candidates import ENGINES, Candidate, installed_engines, openvino_floats
from tundish_exporters.draft import Draft
from tundish_exporters.errors import ExportError, TooFewError
from tundish_exporters.export_data import GateData
from tundish_exporters.export_options import RequestedPrecision
from tundish_exporters.judging import Judge
from tundish_exporters.progress import Progress
from tundish_exporters.quantize import Recipe, recipes_for
from tundish_exporters.quantize.sensitivity import LayerError
from tundish_exporters.search.bar import SearchBar
from tundish_exporters.search.bench import Bench
from tundish_exporters.search.budget import Budget
from tundish_exporters.search.cache import TrialCache, common_hash
from tundish_exporters.search.searching import Search
from tundish_exporters.search.stopwatch import Stopwatch
from tundish_exporters.search.trial import Trial, best_first, drop_of, speedup_of, why_none
from tundish_exporters.search.workshop import Workshop

_MOST_TRIED = 3
"""Of one engine and precision, on the data that are kept for the report. Whoever asks these often enough is flattered
in the end."""


_MOST_MADE = 3
"""Recipes of one engine that are tried without a search, where the most promising cannot be made."""


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
    """Of the search, if there was one."""
    layers: tuple[LayerError, ...] = ()
    """Of the recipe that is behind the fastest that passed, the worst first; none if they cannot be told apart."""
    was_interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A shortlist, and who judges it."""

    judge: Judge
    shortlist: Shortlist
    warnings: tuple[str, ...] = ()


def make_shortlist(draft: Draft, progress: Progress) -> Listed:
    """What is measured to the end, and by which samples: those that no search has seen.

    What is not in fp32 must pass the gate, which needs data.

    Raises:
        ExportError: the precision that was asked for cannot be made.
        DataError: a sample cannot be answered.
    """
    listed = _listed(draft, progress)
    floats = [draft.floating, *openvino_floats(draft.floating, _float_precisions(draft))]
    places = [*((Contender(each),) for each in floats), *listed.shortlist.places]
    places.sort(key=lambda place: ENGINES.index(place[0].candidate.engine))
    return replace(listed, shortlist=replace(listed.shortlist, places=tuple(places)))


def _float_precisions(draft: Draft) -> list[Precision]:
    """Those in which the float network may be tried on other engines; bf16 must pass the gate, which needs data."""
    precision = draft.options.precision
    asked: Sequence[Precision] = ("fp32", "bf16") if precision == "auto" else (precision,)
    return [each for each in asked if each == "fp32" or draft.data.gate is not None]


def _listed(draft: Draft, progress: Progress) -> Listed:
    """What is made besides the float network."""
    gate, options = draft.data.gate, draft.options
    if gate is None or options.precision in ("fp32", "bf16"):
        return Listed(draft.judge(gate, progress), Shortlist())
    recipes = recipes_for(draft.floating.path, engines=ENGINES, stock_operators=options.stock_operators)
    if not options.search_minutes:
        return _unsearched(recipes, draft, gate, progress)
    try:
        return _searched(recipes, draft, gate, progress)
    except TooFewError as error:
        unsearched = _unsearched(recipes, draft, gate, progress)
        said = f"There was no search, which judges by one half of the samples what it chooses by the other: {error}"
        return replace(unsearched, warnings=(said, *unsearched.warnings))


def _said(shortlist: Shortlist) -> Iterator[str]:
    """What the owner of the model should know of a search."""
    if shortlist.was_interrupted:
        yield "The search was interrupted; the best so far was taken."
    if not shortlist.places:
        yield f"The search leaves nothing but the float network: {why_none(shortlist.trials)}"


def _of_precision(recipes: Sequence[Recipe], precision: RequestedPrecision) -> list[Recipe]:
    return [recipe for recipe in recipes if precision in ("auto", recipe.precision)]


def _nothing_to_quantise(asked: RequestedPrecision) -> str:
    missing = "int8" if asked == "auto" else asked
    return f"There is no {missing}: the network has no weights that recipes quantise."


def _unsearched(recipes: Sequence[Recipe], draft: Draft, gate: GateData, progress: Progress) -> Listed:
    """The most promising recipe by each engine that can be made, unmeasured: in int8 unless another was asked for."""
    precision, judge = draft.options.precision, draft.judge(gate, progress)
    recipes = _of_precision(recipes, "int8" if precision == "auto" else precision)
    if not recipes:
        return Listed(judge, Shortlist(), (_nothing_to_quantise(precision),))
    workshop = Workshop(draft.floating.path, draft.calibration, progress)
    candidates: list[Candidate] = []
    faults: dict[Recipe, ExportError] = {}
    said: list[str] = []
    for engine in ENGINES:
        of_engine = [recipe for recipe in recipes if engine in installed_engines(recipe)][:_MOST_MADE]
        for recipe in of_engine:
            if recipe in faults:
                continue  # it fails for this engine as it did for the other
            try:
                path = workshop.make(recipe)
            except ExportError as error:  # which is not the other engine's fault
                faults[recipe] = error
                continue
            candidates.append(Candidate(engine, recipe.precision, path, recipe.description))
            break
        else:
            said += [f"There is no {each.precision} by {each.name}: {faults[each]}" for each in of_engine[:1]]
    if faults and not candidates and precision != "auto":
        raise next(iter(faults.values()))
    return Listed(judge, Shortlist(tuple((Contender(candidate),) for candidate in candidates)), tuple(said))


def _searched(recipes: Sequence[Recipe], draft: Draft, gate: GateData, progress: Progress) -> Listed:
    """What a search finds that sees one half of the samples; the other half judges it.

    Raises:
        TooFewError: a half of them is too few to measure anything on.
    """
    precision = draft.options.precision
    recipes = _of_precision(recipes, precision)
    if not recipes:
        return Listed(draft.judge(gate, progress), Shortlist(), (_nothing_to_quantise(precision),))
    seen, kept = gate.halves()
    judge = draft.judge(kept, progress)
    budget = Budget(draft.options.search_minutes)
    bar = SearchBar(progress, budget)
    seeing = draft.judge(seen, bar)
    for each in (judge, seeing):
        each.check_measurable()
    shortlist = _search(recipes, draft, seeing, budget, bar)
    return Listed(judge, shortlist, tuple(_said(shortlist)))


def _search(recipes: Sequence[Recipe], draft: Draft, judge: Judge, budget: Budget, bar: SearchBar) -> Shortlist:
    """What a search finds by this judge."""
    workshop = Workshop(draft.floating.path, draft.calibration, bar)
    cache = TrialCache(draft.options.repository / ".tundish" / "search", _what(draft, judge))
    stopwatch = Stopwatch(draft.floating.load(threads=1), draft.inputs)
    bench = Bench(draft.spec, workshop, stopwatch, judge, cache)
    search = Search(bench, workshop, judge.verdict, budget, bar)
    search.run(recipes)
    return Shortlist(
        tuple(_places(search.trials, bench)),
        tuple(search.trials),
        tuple(_layers(search.trials, workshop)),
        search.is_interrupted,
    )


def _what(draft: Draft, judge: Judge) -> str:
    """All that the trials of this search have in common."""
    samples = judge.data
    assert samples is not None  # without, there is no search
    metric = () if samples.metric is None else (samples.metric.name, samples.metric.code)
    return common_hash(
        draft.floating.path,
        draft.calibration,
        samples.samples,
        draft.spec.model_dump_json(),
        *metric,
        str(draft.options.confidence),
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
        passed = best_first([trial for trial in here if trial.outcome == "passed"])
        chosen = passed[:_MOST_TRIED] or [min(here, key=drop_of)]
        yield tuple(Contender(bench.candidate(trial.recipe, engine), trial) for trial in chosen)
