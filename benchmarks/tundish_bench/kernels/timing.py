"""Times an operator, its baseline and a copy of memory in turn, so that a machine that slows down does so for all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np

from tundish_bench.kernels.reporting import in_repeats, operator_figures
from tundish_bench.reports import Figure, Row

_TURN_SECONDS = 2e-3
"""The least that a turn lasts; a thousand readings of the clock fit into a percent of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One operator on one input, on one thread."""

    name: str
    """The operator and what it is given: 'resize_normalize 512² → 224² float32'."""
    operator: Callable[[], object]
    baseline: Callable[[], object]
    baseline_name: str
    bytes_moved: int
    """What the operator must read and write, each byte once."""
    goal: float
    """How many times faster than its baseline the operator shall be."""
    check: Callable[[], None]
    """Compares the operator's output with the baseline's or an oracle's; raises BenchmarkError."""
    note: str = ""
    """What else must be known to judge its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The rounds of a case: seconds a call, one value a round."""

    case: Case
    operator: tuple[float, ...]
    baseline: tuple[float, ...]
    copy: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Baseline to operator: the median over the rounds."""
        return median(self.ratios)

    @property
    def ratios(self) -> list[float]:
        """Baseline to operator, round by round."""
        return [theirs / ours for theirs, ours in zip(self.baseline, self.operator, strict=True)]

    @property
    def shares_of_copy(self) -> list[float]:
        """The operator's bandwidth as a fraction of that of a copy of as many bytes, round by round."""
        return [theirs / ours for theirs, ours in zip(self.copy, self.operator, strict=True)]

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio >= self.case.goal

    def row(self) -> Row:
        """The rounds as a row of a report."""
        missed = f"It is {self.ratio:.2f} times as fast as {self.case.baseline_name}, not {self.case.goal:g}, its goal."
        return Row(
            name=self.case.name,
            settings={"against": self.case.baseline_name, "goal": self.case.goal},
            figures=(
                *operator_figures(self.operator, self.shares_of_copy, self.case.bytes_moved),
                Figure(name="times faster", unit="x", better="more", repeats=in_repeats(self.ratios)),
            ),
            notes=tuple(filter(None, (self.case.note, "" if self.met else missed))),
        )


def measure(case: Case, rounds: int) -> Timing:
    """Checks the case's answer, then times its three subjects in each round; every other round in reverse.

    Raises:
        BenchmarkError: the operator's answer is wrong.
    """
    case.check()
    source = np.zeros(max(1, case.bytes_moved // 2), dtype=np.uint8)  # a copy reads and writes each byte
    destination = np.empty_like(source)
    subjects: dict[str, Callable[[], object]] = {
        "operator": case.operator,
        "baseline": case.baseline,
        "copy": lambda: np.copyto(destination, source),
    }
    calls = {name: _calls_a_turn(subject) for name, subject in subjects.items()}
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds):
        for name in list(subjects)[:: 1 if number % 2 == 0 else -1]:
            seconds[name].append(_seconds_a_call(subjects[name], calls[name]))
    return Timing(case=case, **{name: tuple(values) for name, values in seconds.items()})


def _calls_a_turn(subject: Callable[[], object]) -> int:
    """Calls that take at least a turn; they warm the subject up as well."""
    calls = 1
    while (taken := _seconds_a_call(subject, calls) * calls) < _TURN_SECONDS:
        calls = max(calls + 1, int(calls * _TURN_SECONDS / max(taken, 1e-7)))
    return calls


def _seconds_a_call(subject: Callable[[], object], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        subject()
    return (time.perf_counter() - began) / calls
