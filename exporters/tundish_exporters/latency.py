"""Measures engines on this machine: one thread, real inputs, the variants interleaved so that drift cancels."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from tundish.engines import Arrays, Engine
from tundish.errors import EngineError
from tundish.manifest import Latency
from tundish_exporters.progress import Progress, tracked

_RUNS, _LEAST_RUNS = 60, 10
_WARM_UP_RUNS, _LEAST_WARM_UP_RUNS = 5, 1
_WARM_SECONDS = 0.02
_MOST_SECONDS = 20.0
"""Of measuring one thing: a network that takes a second for an item is known as well by fewer runs."""


def measure_latency(
    engines: Mapping[str, Engine], inputs: Sequence[Arrays], progress: Progress
) -> dict[str, Latency | EngineError]:
    """Time of one call with one item, for each engine, on the same inputs; of one that fails on some, the error."""
    samples: dict[str, list[float]] = {name: [] for name in engines}
    failed: dict[str, EngineError] = {}
    once = sum(_WARM_SECONDS + 2 * timed(engine, inputs[0]) for engine in engines.values())
    warm_up = affordable(_WARM_UP_RUNS, once, least=_LEAST_WARM_UP_RUNS)
    runs = affordable(_RUNS, once, least=_LEAST_RUNS)
    for run in tracked(range(warm_up + runs), "measure latency", progress):
        for name in [name for name in engines if name not in failed]:
            try:
                seconds = timed_warm(engines[name], inputs[run % len(inputs)])
            except EngineError as error:
                failed[name] = error
                continue
            if run >= warm_up:
                samples[name].append(seconds * 1e3)
    return {name: failed[name] if name in failed else _latency(times) for name, times in samples.items()}


def _latency(times: Sequence[float]) -> Latency:
    """Of single calls, in milliseconds."""
    return Latency(
        median_milliseconds=float(np.median(times)),
        p90_milliseconds=float(np.percentile(times, 90)),
        batch_size=1,
        runs=len(times),
    )


def affordable(most: int, seconds: float, *, least: int) -> int:
    """How often what takes so many seconds is measured."""
    return max(least, min(most, int(_MOST_SECONDS / max(seconds, 1e-9))))


def timed_warm(engine: Engine, inputs: Arrays) -> float:
    """Seconds of a call after some that are not timed.

    Engines that are measured in turn take the caches from each other, and a short call has them back after several; a
    server asks one engine, again and again.
    """
    began = time.perf_counter()
    engine.run(inputs)
    while time.perf_counter() - began < _WARM_SECONDS:
        engine.run(inputs)
    return timed(engine, inputs)


def timed(engine: Engine, inputs: Arrays) -> float:
    """Seconds that the engine takes for one call."""
    started = time.perf_counter()
    engine.run(inputs)
    return time.perf_counter() - started
