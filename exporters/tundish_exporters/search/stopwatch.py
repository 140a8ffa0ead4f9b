"""How much faster an engine is than the float one, by runs of both in turn, so that drift cancels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tundish.engines import Arrays, Engine
from tundish_exporters.latency import timed_warm

_RUNS, _LEAST_RUNS = 40, 5
_WARM_UP_RUNS = 2
_MOST_SECONDS = 4.0
"""Of one comparison. The variants that are chosen are measured anew, all together and for longer."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Of an engine, for one item on one thread."""

    milliseconds: float
    speedup: float
    """The median, over runs of both on the same input, of the float engine's time over the engine's."""


class Stopwatch:
    """Compares engines with the float one on the same inputs."""

    def __init__(self, floating: Engine, inputs: Sequence[Arrays]) -> None:
        self._floating = floating
        self._inputs = inputs

    def measure(self, engine: Engine) -> Pace:
        """Raises EngineError if the engine does not take the inputs."""
        for run in range(_WARM_UP_RUNS):
            engine.run(self._inputs[run % len(self._inputs)])
        times: list[tuple[float, float]] = []
        started = time.perf_counter()
        while len(times) < _RUNS:
            inputs = self._inputs[len(times) % len(self._inputs)]
            times.append((timed_warm(self._floating, inputs), timed_warm(engine, inputs)))
            if len(times) >= _LEAST_RUNS and time.perf_counter() - started > _MOST_SECONDS:
                break
        # Of each pair on the same input: texts of all lengths have no common duration.
        floating, own = np.array(times).T
        return Pace(milliseconds=float(np.median(own)) * 1e3, speedup=float(np.median(floating / own)))
