"""When a server has warmed up: it answers as many a second, as fast, as it did just before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

import numpy as np

from tundish_bench.driving.records import Records

WINDOW_SECONDS = 1.0

_WINDOWS = 3
"""How many, one after the other, must be alike."""
_SPREAD = 0.1
"""By what share each may differ from their mean."""
_SIGMAS = 3.0


@dataclass(frozen=True, slots=True)
class Window:
    """What was seen in about a second."""

    answered: int
    per_second: float
    median_seconds: float
    """Of their latencies; not a number if none was answered."""


def window_of(records: Records, seconds: float) -> Window:
    """The window of those that ended in so many seconds."""
    latencies = records.latencies[records.answered]
    median = float(np.median(latencies)) if len(latencies) else math.nan
    return Window(len(latencies), len(latencies) / seconds, median)


def is_steady(windows: Sequence[Window]) -> bool:
    """Whether the last ones are alike, in how many were answered a second and in their median latency.

    A count of n varies by its square root by chance, and by less in most loads: few requests may differ by more. But
    not so that each differs from the one before to the same side, as where a server still gets faster.
    """
    last = windows[-_WINDOWS:]
    if len(last) < _WINDOWS or any(not window.answered for window in last):
        return False
    spread = max(_SPREAD, _SIGMAS / math.sqrt(fmean(window.answered for window in last)))
    rates = [window.per_second for window in last]
    medians = [window.median_seconds for window in last]
    return all(_are_alike(values, spread) and not _is_trend(values) for values in (rates, medians))


def _are_alike(values: Sequence[float], spread: float) -> bool:
    middle = fmean(values)
    return all(abs(value - middle) <= spread * middle for value in values)


def _is_trend(values: Sequence[float]) -> bool:
    """Whether each is beyond the one before, and the last far from the first."""
    steps = [after - before for before, after in pairwise(values)]
    one_way = all(step > 0 for step in steps) or all(step < 0 for step in steps)
    return one_way and abs(values[-1] - values[0]) > _SPREAD * fmean(values)
