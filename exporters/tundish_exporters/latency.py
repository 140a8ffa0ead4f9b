"""Measures engines on this machine: one thread, real inputs, the variants interleaved so that drift cancels."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from tundish.engines import Arrays, Engine
from tundish.manifest import Latency
from tundish_exporters.progress import Progress, tracked

_RUNS = 60
_WARM_UP_RUNS = 5


def measure_latency(engines: Mapping[str, Engine], inputs: Sequence[Arrays], progress: Progress) -> dict[str, Latency]:
    """Time of one call with one item, for each engine; all see the same inputs."""
    samples: dict[str, list[float]] = {name: [] for name in engines}
    for run in tracked(range(_WARM_UP_RUNS + _RUNS), "measure latency", progress):
        for name, engine in engines.items():
            seconds = timed(engine, inputs[run % len(inputs)])
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


def timed(engine: Engine, inputs: Arrays) -> float:
    """Seconds that the engine takes for one call."""
    started = time.perf_counter()
    engine.run(inputs)
    return time.perf_counter() - started
