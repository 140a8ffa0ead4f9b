"""Measures variants of a bundle side by side in this process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tundish.bundle import Bundle
from tundish.cli.models import find_bundle
from tundish.errors import EngineError
from tundish.manifest import Variant
from tundish_bench.errors import BenchmarkError
from tundish_bench.in_process.agreeing import Referee, Verdict
from tundish_bench.in_process.choosing import Choice, choose
from tundish_bench.in_process.contestant import Contestant
from tundish_bench.in_process.inputs import Inputs, inputs_of
from tundish_bench.in_process.loading import Loading, measure_loading
from tundish_bench.in_process.options import EngineOptions
from tundish_bench.in_process.rows import Facts, row_of, whole
from tundish_bench.in_process.timing import Call, Clock, measure_rounds, plan_of
from tundish_bench.processes import machine_busy_seconds
from tundish_bench.reports import Report, Row
from tundish_exporters.progress import Progress, silent, tracked

_OTHER_CORES = 0.1
_FEW_CALLS = 100


def measure_engines(repository: Path, model: str, options: EngineOptions, progress: Progress = silent) -> Report:
    """A row for each variant and batch size; one engine works at a time, on its threads, all of them in turn.

    A variant that does not run here, or does not answer as the reference, has no row but a note that says why.

    Raises:
        RepositoryError, ModelNotFoundError, BundleError: there is no such bundle, or it is broken.
        InvalidInputError: the model cannot read the inputs.
        EngineError: the baseline's engine does not take it.
        BenchmarkError: an option is not possible, or the reference gives no answer.
    """
    options.check()
    bundle = find_bundle(repository, model, options.version)
    if not isinstance(bundle, Bundle):
        names = " and ".join(component.manifest.model for component in bundle.components.values())
        raise BenchmarkError(f"'{model}' is composed of others; measure {names}, each by itself.")
    choice = choose(bundle.manifest, options)
    inputs = inputs_of(bundle, options.inputs)
    return _Measurement(bundle, choice, inputs, options, progress).report()


class _Measurement:
    """One report in the making."""

    def __init__(
        self,
        bundle: Bundle,
        choice: Choice,
        inputs: Inputs,
        options: EngineOptions,
        progress: Progress,
    ) -> None:
        self._bundle, self._choice, self._inputs = bundle, choice, inputs
        self._options, self._progress, self._clock = options, progress, Clock()
        self._notes = list(choice.left_out)
        self._busy = self._own = self._wall = 0.0

    def report(self) -> Report:
        """Does it all."""
        batches = {size: self._inputs.batches(self._bundle, size) for size in self._options.batch_sizes}
        facts = self._facts()
        contestants = [self._load(each) for each in self._choice.variants if each.name in facts]
        rows = [row for size in batches for row in self._rows(contestants, facts, size, batches[size])]
        others = max(0.0, self._busy - self._own) / self._wall
        if others > _OTHER_CORES:
            self._notes.append(
                f"Other work took {others:.1f} cores while this was measured; on an idle machine it would be faster."
            )
        manifest = self._bundle.manifest
        return Report(
            kind="engines",
            title=f"Engines of {manifest.model} version {manifest.version} in process",
            method=self._method,
            rows=tuple(rows),
            notes=tuple(dict.fromkeys(self._notes)),
        )

    def _facts(self) -> dict[str, Facts]:
        """What speed does not change, of each variant that runs here and answers as the reference."""
        verdicts = self._verdicts()
        loadings: dict[str, list[Loading]] = {name: [] for name in verdicts}
        for _ in tracked(range(self._options.loads), "load", self._progress):
            for name, each in loadings.items():
                each.append(measure_loading(self._bundle.directory, name, threads=self._options.thread_count))
        return {name: Facts(verdict.agreement, loadings[name]) for name, verdict in verdicts.items()}

    def _verdicts(self) -> dict[str, Verdict]:
        referee = Referee(self._bundle.manifest, self._load(self._choice.reference), self._inputs)
        verdicts = {}
        for variant in tracked(self._choice.variants, "compare answers", self._progress):
            is_baseline = variant == self._choice.variants[0]
            try:
                verdict = referee.judge(self._load(variant))
            except EngineError as error:
                if is_baseline:
                    raise
                self._notes.append(f"{variant.name} is left out: {error}")
                continue
            if verdict.fault is None:
                verdicts[variant.name] = verdict
            elif is_baseline:
                raise BenchmarkError(f"The baseline {variant.name} {verdict.fault}.")
            else:
                self._notes.append(f"{variant.name} is left out: it {verdict.fault.rstrip('.')}.")
        return verdicts

    def _rows(
        self, contestants: Sequence[Contestant], facts: Mapping[str, Facts], size: int, batches: Sequence[Sequence[int]]
    ) -> list[Row]:
        items = [[self._inputs.items[number] for number in batch] for batch in batches]
        count = min(contestant.take(items) for contestant in contestants)
        subjects: dict[str, Call] = {}
        baseline = contestants[0].name
        for contestant in contestants:
            contestant.keep(count)
            subjects[contestant.name] = contestant.run
            if contestant.task is not None:
                subjects[whole(contestant.name)] = contestant.run_whole
        plan = plan_of(subjects.get(whole(baseline), contestants[0].run), self._options.seconds, self._clock)
        if plan.calls * plan.passes < _FEW_CALLS:
            self._notes.append(
                f"A round has {plan.calls * plan.passes} calls of a batch of {size}: its p99 is near their longest."
            )
        rounds = tracked(range(self._options.rounds), f"batch {size}", self._progress)
        busy, own, began = machine_busy_seconds(), time.process_time(), time.perf_counter()
        measured = measure_rounds(subjects, plan, rounds, self._clock)
        self._busy += machine_busy_seconds() - busy
        self._own += time.process_time() - own
        self._wall += time.perf_counter() - began
        return [
            row_of(
                each.variant,
                measured,
                facts[each.name],
                baseline=baseline,
                batch_size=size,
                threads=self._options.thread_count,
            )
            for each in contestants
        ]

    def _load(self, variant: Variant) -> Contestant:
        return Contestant(self._bundle, variant, threads=self._options.thread_count)

    @property
    def _method(self) -> str:
        options, inputs = self._options, self._inputs
        threads = options.thread_count
        what = "the user's" if inputs.are_real else "made"
        floor = (
            " The floor is decoding, pre-processing and the engine on the same items, and nothing else: no request "
            "costs less. 'not engine' is the share of its CPU time that the engine alone does not take."
            if self._bundle.manifest.takes_items
            else ""
        )
        return (
            f"Engines of {threads} thread{'s' if threads > 1 else ''} on {len(inputs.items)} {what} inputs, one engine "
            "at a time: a few calls of each in turn, on the same inputs, every other time in the opposite order; "
            f"{options.rounds} rounds of that are the repeats. p50 and p99 are of a call, CPU and floor of an item. "
            f"The speed-up is over {self._choice.variants[0].name}, round by round.{floor} The agreement is with the "
            f"answers of {self._choice.reference.name}. Loading is measured in processes of their own, with the file "
            "in the system's cache; its memory is what the process holds more for it."
        )
