"""Measures engines on this machine: one thread, real inputs, the variants interleaved so that drift cancels."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tundish.engines import Arrays, Engine
from tundish.manifest import Latency
from tundish_exporters.progress import Progress, tracked

BATCH_SIZES = (1, 2, 4, 8)
"""Sizes that are tried for batching; on a CPU larger ones gain nothing more."""

_RUNS = 60
_WARM_UP_RUNS = 5
_ROUNDS = 12
_NEGLIGIBLE = 0.03
"""Of the time an item; less is noise, and is made up for by what a batch costs the server besides its engine."""


def measure_latency(engines: Mapping[str, Engine], inputs: Sequence[Arrays], progress: Progress) -> dict[str, Latency]:
    """Time of one call with one item, for each engine; all see the same inputs."""
    samples: dict[str, list[float]] = {name: [] for name in engines}
    for run in tracked(range(_WARM_UP_RUNS + _RUNS), "measure latency", progress):
        for name, engine in engines.items():
            seconds = _timed(engine, inputs[run % len(inputs)])
            if run >= _WARM_UP_RUNS:
                samples[name].append(seconds * 1e3)
    return {
        name: Latency(
            median_milliseconds=float(np.median(times)),
            p90_milliseconds=float(np.percentile(times, 90)),
            batch_size=1,
            runs=len(times),
        )
        for name, times in samples.items()
    }


def best_batch_size(
    engine: Engine, collate: Callable[[Sequence[int]], Arrays], count: int, progress: Progress
) -> tuple[int, dict[int, float]]:
    """The batch size with the least time an item, larger ones preferred, and the milliseconds an item of each.

    A larger limit costs an idle server nothing, for it waits for no batch to fill; a busy one wakes up less often.

    `collate` makes a batch of the samples with these numbers, below `count`. Batches are random, as requests come; all
    sizes run the same samples.
    """
    draw = random.Random(0)
    largest = max(BATCH_SIZES)
    times: dict[int, list[float]] = {size: [] for size in BATCH_SIZES}
    for _ in tracked(range(_ROUNDS), "measure batches", progress):
        chosen = [draw.randrange(count) for _ in range(largest)]
        for size in BATCH_SIZES:
            batches = [collate(chosen[start : start + size]) for start in range(0, largest, size)]
            times[size].append(sum(_timed(engine, batch) for batch in batches) * 1e3 / largest)
    # The mean, not the median: texts vary in length, and all of them have to be run.
    means = {size: float(np.mean(milliseconds)) for size, milliseconds in times.items()}
    best = min(means.values())
    return max(size for size in BATCH_SIZES if means[size] <= best * (1 + _NEGLIGIBLE)), means


def _timed(engine: Engine, inputs: Arrays) -> float:
    started = time.perf_counter()
    engine.run(inputs)
    return time.perf_counter() - started
