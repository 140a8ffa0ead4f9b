"""Subjects measured side by side: interleaved rounds, so that a machine that changes its speed does so for all.

Every round measures each subject once, one after the other, and every other round in the opposite order. Ratios are
taken round by round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Protocol

from rich.console import Console

from tundish_bench.asking import Question, ask_alone
from tundish_bench.errors import BenchmarkError
from tundish_bench.load import Load, LoadGenerator
from tundish_bench.processes import ServerProcess, machine_busy_seconds

_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One subject in one round."""

    items: int
    cpu_milliseconds: float
    """Of the subject, for each item."""
    items_per_second: float
    other_cores: float
    """How many cores were busy with anything but the subject and its client."""
    p50_milliseconds: float | None = None
    """From sending to answer, as a caller sees it; None where items are not asked for one by one."""
    p99_milliseconds: float | None = None
    client_cpu_milliseconds: float | None = None
    different: int = 0
    """Items that were answered otherwise than when they were asked alone."""


class Subject(Protocol):
    """What is measured."""

    @property
    def name(self) -> str:
        """As the table shows it; no two of a benchmark are the same."""
        ...

    def measure(self, seconds: float) -> Sample:
        """Keeps the subject busy for about so long.

        Raises:
            BenchmarkError: it gave a wrong answer, or none.
        """
        ...


class ServerSubject:
    """A server under the load of a generator's callers."""

    def __init__(
        self,
        server: ServerProcess,
        generator: LoadGenerator,
        questions: Sequence[Question],
        *,
        callers: int,
        different_share: float = 0.0,
    ) -> None:
        """Asks the server each question alone; under load, at most `different_share` of its answers may be others."""
        self.name = server.name
        self.answers = asyncio.run(ask_alone(server.url, server.protocol, questions))
        self._server, self._generator, self._different_share = server, generator, different_share
        self._load = Load(url=server.url, protocol=server.protocol, callers=callers, seconds=0.0, expected=self.answers)

    def measure(self, seconds: float) -> Sample:
        """See `Subject.measure`."""
        load = self._load.lasting(seconds)
        busy_before, cpu_before = machine_busy_seconds(), self._server.cpu_seconds()
        report = self._generator.run(load)
        cpu, busy = self._server.cpu_seconds_since(cpu_before), machine_busy_seconds() - busy_before
        if report.different > self._different_share * report.answered:
            raise BenchmarkError(
                f"{self.name} answered {report.different} of {report.answered} questions otherwise than when asked "
                f"alone, more than the {100 * self._different_share:g} % that may be."
            )
        p50, p99 = percentiles(report.latencies)
        return Sample(
            items=report.answered,
            cpu_milliseconds=1e3 * cpu / report.answered,
            items_per_second=report.answered / report.wall_seconds,
            other_cores=max(0.0, (busy - cpu - report.client_cpu_seconds) / report.wall_seconds),
            p50_milliseconds=1e3 * p50,
            p99_milliseconds=1e3 * p99,
            client_cpu_milliseconds=1e3 * report.client_cpu_seconds / report.answered,
            different=report.different,
        )


class Rounds:
    """What was measured: in each round, a sample of each subject."""

    def __init__(self, rounds: Sequence[dict[str, Sample]]) -> None:
        self._rounds = tuple(rounds)

    def __iter__(self) -> Iterator[dict[str, Sample]]:
        return iter(self._rounds)

    def __len__(self) -> int:
        return len(self._rounds)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the subjects."""
        return tuple(self._rounds[0])

    def samples(self, name: str) -> list[Sample]:
        """The subject's, round by round."""
        return [each[name] for each in self._rounds]

    def median(self, name: str, figure: Callable[[Sample], float]) -> float:
        """The subject's median of a figure."""
        return median(figure(sample) for sample in self.samples(name))

    def ratios(self, ours: str, theirs: str, figure: Callable[[Sample], float]) -> list[float]:
        """Our figure divided by theirs, round by round."""
        return [figure(each[ours]) / figure(each[theirs]) for each in self._rounds]

    def best(self, names: Sequence[str]) -> str:
        """The subject with the highest median throughput."""
        return max(names, key=lambda name: self.median(name, speed))


def speed(sample: Sample) -> float:
    """A figure to compare: items per second."""
    return sample.items_per_second


def cpu(sample: Sample) -> float:
    """A figure to compare: CPU milliseconds of an item."""
    return sample.cpu_milliseconds


def percentiles(latencies: Sequence[float]) -> tuple[float, float]:
    """The 50th and the 99th.

    Raises:
        BenchmarkError: there are too few to say.
    """
    if len(latencies) < 2:
        raise BenchmarkError(f"{len(latencies)} answers came in the time of a round; make its seconds more.")
    cuts = quantiles(latencies, n=100)
    return cuts[49], cuts[98]


def measure_rounds(subjects: Sequence[Subject], *, rounds: int, seconds: float, console: Console) -> Rounds:
    """Measures all subjects in each round, `seconds` each, after a short warm-up."""
    measured = []
    # Floors run in this process: drawing more often would count as their work.
    with console.status("warm up", refresh_per_second=1) as status:
        for subject in subjects:
            subject.measure(min(seconds, _WARM_UP_SECONDS))
        for number in range(rounds):
            samples = {}
            for subject in subjects[:: 1 if number % 2 == 0 else -1]:
                status.update(f"round {number + 1} of {rounds}: {subject.name}")
                samples[subject.name] = subject.measure(seconds)
            measured.append({subject.name: samples[subject.name] for subject in subjects})
    return Rounds(measured)
