"""Times calls of several subjects in turn, so that a machine that becomes slower does so for all of them alike.

A *burst* is a few calls of one subject in a row, before which it makes one that is not timed: the others have taken
the caches. A *pass* is a burst of each subject, on the same inputs; every other pass goes backwards. A *round* is an
even number of passes, and one repeat of every figure: what a linear drift adds to one subject it adds to all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Call = Callable[[int], object]
"""One call of a subject, on the inputs of this number; it blocks until it is done."""

_BURST_SECONDS = 0.05
_LEAST_CALLS = 4
"""Of a round."""
_CALIBRATION = 3


@dataclass(frozen=True, slots=True)
class Clock:
    """What time is read from, in seconds."""

    wall: Callable[[], float] = time.perf_counter
    cpu: Callable[[], float] = time.process_time
    """Of all threads of this process: an engine has some of its own, and nothing else works meanwhile."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a round is divided."""

    calls: int
    """Of a burst."""
    passes: int
    """Of a round; even."""

    @property
    def warms(self) -> bool:
        """Whether bursts begin with a call that is not timed; one call that takes long hardly gains by it."""
        return self.calls > 1


def plan_of(call: Call, seconds: float, clock: Clock) -> Plan:
    """For rounds in which `call` is busy for about so long."""
    call(0)
    began = clock.wall()
    for number in range(_CALIBRATION):
        call(number)
    once = max((clock.wall() - began) / _CALIBRATION, 1e-7)
    calls = max(1, round(min(_BURST_SECONDS, seconds / 2) / once))
    wanted = max(_LEAST_CALLS, seconds / once)
    return Plan(calls=calls, passes=2 * max(1, round(wanted / calls / 2)))


@dataclass(frozen=True, slots=True)
class Round:
    """One subject's calls in one round."""

    seconds: NDArray[np.float64]
    """Of each call, in the order in which they were made."""
    cpu_seconds: float
    """Of all of them together."""


def measure_rounds(
    subjects: Mapping[str, Call], plan: Plan, rounds: Iterable[int], clock: Clock
) -> list[dict[str, Round]]:
    """One entry a round; `rounds` counts them, and tells whoever watches it how far they are."""
    measured = []
    turn = 0
    for _ in rounds:
        bursts: dict[str, list[Round]] = {name: [] for name in subjects}
        for number in range(plan.passes):
            for name in list(subjects)[:: 1 if number % 2 == 0 else -1]:
                bursts[name].append(_burst(subjects[name], turn, plan, clock))
            turn += plan.calls
        measured.append({name: _joined(each) for name, each in bursts.items()})
    return measured


def _burst(call: Call, first: int, plan: Plan, clock: Clock) -> Round:
    if plan.warms:
        call(first)
    cpu_began, marks = clock.cpu(), [clock.wall()]
    for turn in range(first, first + plan.calls):
        call(turn)
        marks.append(clock.wall())
    return Round(np.diff(marks), clock.cpu() - cpu_began)


def _joined(bursts: Sequence[Round]) -> Round:
    return Round(np.concatenate([burst.seconds for burst in bursts]), sum(burst.cpu_seconds for burst in bursts))
