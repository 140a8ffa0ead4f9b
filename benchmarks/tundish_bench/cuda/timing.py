"""Times an operator and a copy of as many bytes in turn, by events on the stream.

A turn is many calls that are launched one after the other between two events, without waiting: what is measured is the
time that they take the GPU, or the time that it takes to launch them where that is longer. So the time of the host for
a launch is measured beside it, by the wall clock around the loop that launches: where the two are equal, the host is
what takes the time, and the GPU may be faster than shown. A round has one turn of the operator and one of the copy,
every other round in reverse, and its two are compared with each other. What fits into the second-level cache stays
there from call to call, for the operator and for the copy.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from tundish_bench.cuda.gpu import Gpu
from tundish_bench.kernels.reporting import in_repeats, operator_figures
from tundish_bench.reports import Figure, Row

_TURN_SECONDS = 2e-3
"""The least that a turn lasts, a few thousand times the resolution of an event."""

_SHORTEST = 1e-7
"""Seconds; a turn that is said to be shorter is taken to last as long."""

_BOUND_SHARE = 0.9
"""Of the GPU's time for a call: where the host's is more, the GPU may have waited for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One operator on one input."""

    name: str
    """The operator and what it is given: 'softmax_top_k [8, 1000] k=5'."""
    operator: Callable[[], object]
    """Puts its work on the stream and waits for nothing."""
    bytes_moved: int
    """What the operator must read and write, each byte once."""
    check: Callable[[], None]
    """Compares the operator's output with the CPU form's; raises BenchmarkError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The rounds of a case: seconds a call, one value a round."""

    case: Case
    operator: tuple[float, ...]
    launch: tuple[float, ...]
    """What a call of the operator takes the host, which waits for nothing."""
    copy: tuple[float, ...]

    @property
    def shares_of_copy(self) -> list[float]:
        """The operator's bandwidth as a fraction of the copy's, round by round."""
        return [theirs / ours for ours, theirs in zip(self.operator, self.copy, strict=True)]

    @property
    def is_bound_by_launches(self) -> bool:
        """Whether the GPU waited for the host, so that its own time may be less than was measured."""
        return median(self.launch) > _BOUND_SHARE * median(self.operator)

    def row(self) -> Row:
        """The rounds as a row of a report."""
        launch = in_repeats([1e6 * each for each in self.launch])
        note = "The host takes as long to launch a call as the GPU to do it; the GPU's own time may be less."
        return Row(
            name=self.case.name,
            figures=(
                *operator_figures(self.operator, self.shares_of_copy, self.case.bytes_moved),
                Figure(name="to launch", unit="µs", better="less", repeats=launch),
            ),
            notes=(note,) if self.is_bound_by_launches else (),
        )


def measure(gpu: Gpu, case: Case, rounds: int) -> Timing:
    """Checks the case's answer, then times it.

    Raises:
        BenchmarkError: the operator's answer is wrong, or the driver refuses.
    """
    case.check()
    size = max(1, case.bytes_moved // 2)  # a copy reads and writes each byte
    source, destination = gpu.empty(size), gpu.empty(size)
    subjects: dict[str, Callable[[], object]] = {
        "operator": case.operator,
        "copy": lambda: gpu.copy(destination, source),
    }
    calls = {name: _calls_a_turn(gpu, subject) for name, subject in subjects.items()}
    turns: dict[str, list[_Turn]] = {name: [] for name in subjects}
    for number in range(rounds):
        for name in list(subjects)[:: 1 if number % 2 == 0 else -1]:
            turns[name].append(_turn(gpu, subjects[name], calls[name]))
    return Timing(
        case=case,
        operator=tuple(turn.on_gpu for turn in turns["operator"]),
        launch=tuple(turn.to_launch for turn in turns["operator"]),
        copy=tuple(turn.on_gpu for turn in turns["copy"]),
    )


class _Turn(NamedTuple):
    """Seconds a call."""

    on_gpu: float
    to_launch: float


def _calls_a_turn(gpu: Gpu, subject: Callable[[], object]) -> int:
    """Calls that take at least a turn; they warm the subject up as well."""
    calls = 1
    while (taken := _turn(gpu, subject, calls).on_gpu * calls) < _TURN_SECONDS:
        calls = max(calls + 1, int(calls * min(_TURN_SECONDS / taken, 100)))
    return calls


def _turn(gpu: Gpu, subject: Callable[[], object], calls: int) -> _Turn:
    began = gpu.event()
    launching = time.perf_counter()
    for _ in range(calls):
        subject()
    launched = time.perf_counter()
    ended = gpu.event()
    return _Turn(max(ended.seconds_since(began), _SHORTEST) / calls, (launched - launching) / calls)
