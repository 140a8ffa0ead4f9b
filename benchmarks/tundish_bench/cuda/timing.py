"""Times an operator and a copy of as many bytes in turn, by events on the stream.

A turn is many calls that are launched one after the other between two events, without waiting: what is measured is the
time that they take the GPU, or the time that it takes to launch them where that is longer. A round has one turn of the
operator and one of the copy, every other round in reverse, and its two are compared with each other. What fits into the
second-level cache stays there from call to call, for the operator and for the copy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from tundish_bench.cuda.gpu import Gpu

_TURN_SECONDS = 2e-3
"""The least that a turn lasts, a few thousand times the resolution of an event."""

_SHORTEST = 1e-7
"""Seconds; a turn that is said to be shorter is taken to last as long."""


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
    copy: tuple[float, ...]

    @property
    def share_of_copy(self) -> float:
        """The operator's bandwidth as a fraction of the copy's; the median over the rounds."""
        return median(theirs / ours for ours, theirs in zip(self.operator, self.copy, strict=True))

    @property
    def gigabytes_per_second(self) -> float:
        """Bytes that the operator must move, by its median time."""
        return self.case.bytes_moved / median(self.operator) / 1e9


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
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds):
        for name in list(subjects)[:: 1 if number % 2 == 0 else -1]:
            seconds[name].append(_seconds_a_call(gpu, subjects[name], calls[name]))
    return Timing(case=case, **{name: tuple(values) for name, values in seconds.items()})


def _calls_a_turn(gpu: Gpu, subject: Callable[[], object]) -> int:
    """Calls that take at least a turn; they warm the subject up as well."""
    calls = 1
    while (taken := _seconds_a_call(gpu, subject, calls) * calls) < _TURN_SECONDS:
        calls = max(calls + 1, int(calls * min(_TURN_SECONDS / taken, 100)))
    return calls


def _seconds_a_call(gpu: Gpu, subject: Callable[[], object], calls: int) -> float:
    began = gpu.event()
    for _ in range(calls):
        subject()
    ended = gpu.event()
    return max(ended.seconds_since(began), _SHORTEST) / calls
