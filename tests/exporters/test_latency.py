"""How engines are timed beside each other."""

from __future__ import annotations

import time
from itertools import groupby
from statistics import median
from typing import Any

import numpy as np

from tundish.engines import Arrays
from tundish.manifest import TensorSpec
from tundish_exporters.latency import measure_latency
from tundish_exporters.progress import silent
from tundish_exporters.search.stopwatch import Stopwatch

INPUTS = [{"x": np.zeros(1, np.float32)}]


class Watched:
    """An engine that writes down when it is called, and takes so long."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, calls: list[Watched], seconds: float) -> None:
        self._calls = calls
        self._seconds = seconds

    def run(self, inputs: Arrays) -> dict[str, Any]:
        self._calls.append(self)
        time.sleep(self._seconds)
        return dict(inputs)

    def another(self) -> Any:
        return self


def test_each_is_called_before_it_is_timed_until_it_has_the_caches() -> None:
    """A server asks one of them, again and again, so that what the others do to its caches is nobody's business."""
    calls: list[Watched] = []
    brief, long = Watched(calls, seconds=0.004), Watched(calls, seconds=0.03)
    Stopwatch(long, INPUTS).measure(brief)
    assert_warm(calls, brief, long)
    calls.clear()
    measure_latency({"brief": brief, "long": long}, INPUTS, silent)
    assert_warm(calls, brief, long)


def assert_warm(calls: list[Watched], brief: Watched, long: Watched) -> None:
    turns = [(engine, len(list(turn))) for engine, turn in groupby(calls[2:])]
    assert len(turns) > 10
    assert {count for engine, count in turns if engine is long} == {2}
    assert median(count for engine, count in turns if engine is brief) > 2
