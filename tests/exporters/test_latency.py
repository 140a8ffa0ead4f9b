"""How engines are timed beside each other."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np

from tundish.engines import Arrays
from tundish.manifest import TensorSpec
from tundish_exporters.latency import measure_latency
from tundish_exporters.progress import silent
from tundish_exporters.search.stopwatch import Stopwatch

INPUTS = [{"x": np.zeros(1, np.float32)}]


class Watched:
    """An engine that writes down when it is called."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, calls: list[Watched]) -> None:
        self._calls = calls

    def run(self, inputs: Arrays) -> dict[str, Any]:
        self._calls.append(self)
        return dict(inputs)

    def another(self) -> Any:
        return self


def test_each_is_called_once_more_before_it_is_timed() -> None:
    """A server asks one of them, again and again, so that what the others do to its caches is nobody's business."""
    calls: list[Watched] = []
    first, second = Watched(calls), Watched(calls)
    Stopwatch(first, INPUTS).measure(second)
    turns = [(engine, len(list(turn))) for engine, turn in groupby(calls[2:])]
    assert turns == [(first, 2), (second, 2)] * (len(turns) // 2) != []
    calls.clear()
    measure_latency({"first": first, "second": second}, INPUTS, silent)
    turns = [(engine, len(list(turn))) for engine, turn in groupby(calls[2:])]
    assert turns == [(first, 2), (second, 2)] * (len(turns) // 2) != []
