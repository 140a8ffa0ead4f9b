"""How the time of a comparison is shared: evenly over its points, in rounds, and never more than there is.

A point is a server under a number of callers on a workload. Servers start before a workload's first round and take
what they take; what is left is shared by what is still to be measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import fmean

from tundish_bench.errors import BenchmarkError

_LEAST_ROUNDS, _MOST_ROUNDS = 2, 8
"""An interval takes two; more than eight make each load too short to reach a steady state."""
_LEAST_SECONDS, _GOOD_SECONDS = 0.5, 1.2
"""Of a load: the least that says anything, and what makes more rounds better than longer ones."""
_FIRST_OVERHEAD = 0.6
"""How much longer a load takes than it is asked to, until that is known: connections, and the last answers."""
_FIRST_START = 30.0
"""Seconds for a workload's servers to start, until that is known."""
_KEPT_BACK = 10.0
"""Seconds to stop the last servers and to write."""


class Timetable:
    """Of a whole comparison."""

    def __init__(
        self, seconds: float, points: Mapping[str, int], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`points` says of each workload how many it has, in the order in which they are measured.

        Raises:
            BenchmarkError: the time is too short for them.
        """
        self.clock = clock
        self._end = clock() + seconds
        self._points = dict(points)
        self._starts: list[float] = []
        self._free_since = clock()
        needed = _KEPT_BACK + len(points) * _FIRST_START
        needed += sum(points.values()) * _LEAST_ROUNDS * (_LEAST_SECONDS + _FIRST_OVERHEAD)
        if needed > seconds:
            raise BenchmarkError(
                f"{seconds / 60:g} minutes are too few for {sum(points.values())} points on {len(points)} workloads; "
                f"give at least {needed / 60:.1f} with --minutes, or fewer callers, peers or workloads."
            )

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self._end - self.clock()

    def begin(self, workload: str) -> Pace:
        """Shares out the time of the workload, whose servers have started; to be called in the workloads' order."""
        self._starts.append(self.clock() - self._free_since)
        own = self._points.pop(workload)
        later = sum(self._points.values())
        # A workload with more models starts more slowly than the first ones did.
        reserved = _KEPT_BACK + len(self._points) * max(_FIRST_START, *self._starts)
        seconds = max(0.0, self.left - reserved) * own / (own + later)
        return Pace(seconds, own, clock=self.clock)

    def end(self, workload: str) -> None:
        """A workload's servers are about to stop, or it failed; that and the start of the next ones is one thing."""
        self._points.pop(workload, None)
        self._free_since = self.clock()


class Pace:
    """Of one workload: how long each load is to last so that all of them fit."""

    def __init__(self, seconds: float, points: int, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self.rounds = int(seconds / points / (_GOOD_SECONDS + _FIRST_OVERHEAD))
        self.rounds = min(_MOST_ROUNDS, max(_LEAST_ROUNDS, self.rounds))
        """How often each point is measured."""
        self.loads = points * self.rounds
        """How many there are."""
        self._left = self.loads
        self._overheads: list[float] = []

    def next_seconds(self) -> float:
        """For how long the next load is to ask; `done` says when it is over."""
        self._began = self._clock()
        overhead = fmean(self._overheads) if self._overheads else _FIRST_OVERHEAD
        self._asked = max(_LEAST_SECONDS, (self._end - self._began) / self._left - overhead)
        return self._asked

    def done(self) -> None:
        """The load is over."""
        self._left -= 1
        self._overheads.append(self._clock() - self._began - self._asked)
