"""Where the time of one item goes: before the network, in it, and after it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import median

from tundish.pipeline import Answer, Pipeline, run_batch
from tundish.results import StageTimes
from tundish.tasks import Item
from tundish_exporters.latency import affordable
from tundish_exporters.progress import Progress, tracked
from tundish_exporters.report.content import StageMedians

_RUNS, _LEAST_RUNS = 20, 3


def measure_stages(
    pipelines: Mapping[str, Pipeline], inputs: Sequence[Item], progress: Progress
) -> tuple[StageMedians, ...]:
    """Medians over single items, in this process; the pipelines take turns, so that drift cancels."""
    times: dict[str, list[StageTimes]] = {name: [] for name in pipelines}
    once = sum(_seconds(pipeline, inputs[0]) for pipeline in pipelines.values())
    for run in tracked(range(affordable(_RUNS, once, least=_LEAST_RUNS)), "measure stages", progress):
        for name, pipeline in pipelines.items():
            (outcome,) = run_batch(pipeline, [inputs[run % len(inputs)]])
            if isinstance(outcome, Answer):  # what cannot be answered took no time that says anything
                times[name].append(outcome.stage_times)
    return tuple(_medians(name, each) for name, each in times.items() if each)


def _seconds(pipeline: Pipeline, item: Item) -> float:
    started = time.perf_counter()
    run_batch(pipeline, [item])
    return time.perf_counter() - started


def _medians(name: str, times: Sequence[StageTimes]) -> StageMedians:
    def milliseconds(nanoseconds: Sequence[int]) -> float:
        return median(nanoseconds) * 1e-6

    return StageMedians(
        variant=name,
        preprocess=milliseconds([each.preprocess_nanoseconds for each in times]),
        engine=milliseconds([each.compute_nanoseconds for each in times]),
        postprocess=milliseconds([each.postprocess_nanoseconds for each in times]),
        runs=len(times),
    )
