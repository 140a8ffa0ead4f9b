"""Subjects measured side by side: interleaved rounds, so that a machine that changes its speed does so for all.

Every round measures each subject once, one after the other, and every other round in the opposite order. Ratios are
taken round by round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from rich.console import Console

from tundish_bench.driving.asking import Asking
from tundish_bench.driving.generator import Generator, Order
from tundish_bench.driving.histogram import Latencies
from tundish_bench.driving.load import Closed
from tundish_bench.errors import BenchmarkError
from tundish_bench.processes import ServerProcess, machine_busy_seconds
from tundish_bench.watching import ServerWatch

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
    memory_megabytes: float | None = None
    """That a server's processes held afterwards, what they share counted once."""
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
        generator: Generator,
        asking: Asking,
        *,
        callers: int,
        different_share: float = 0.0,
        name: str | None = None,
    ) -> None:
        """Under load, at most `different_share` of the answers may be others than expected.

        Its name is the server's, unless one server is several subjects.
        """
        assert asking.expected is not None, "what is measured is checked"
        self.name = name or server.name
        self.answers = asking.expected.answers
        self._server, self._generator, self._asking = server, generator, asking
        self._load, self._different_share = Closed(callers), different_share

    def measure(self, seconds: float) -> Sample:
        """See `Subject.measure`."""
        order = Order(asking=self._asking, load=self._load, block_seconds=seconds, ends_itself=True)
        watch, busy_before = ServerWatch(self._server.pid), machine_busy_seconds()
        finished = self._generator.run(order)
        busy = machine_busy_seconds() - busy_before
        watch.sample()
        cpu, records, items = watch.cpu_seconds, finished.records, len(finished.records)
        if failed := records.errors.total():
            reason = records.commonest_error
            raise BenchmarkError(f"{self.name} did not answer {failed} of {items} questions: {reason}; see its log.")
        if notes := watch.notes:
            raise BenchmarkError(f"{self.name}: {notes[0]}")
        different = int(records.differs.sum())
        if different > self._different_share * items:
            raise BenchmarkError(
                f"{self.name} answered {different} of {items} questions otherwise than when asked alone, more than the "
                f"{100 * self._different_share:g} % that may be."
            )
        latencies = Latencies(records.latencies)
        return Sample(
            items=items,
            cpu_milliseconds=1e3 * cpu / items,
            items_per_second=items / finished.seconds,
            other_cores=max(0.0, (busy - cpu - finished.cpu_seconds) / finished.seconds),
            p50_milliseconds=latencies.percentile(50),
            p99_milliseconds=latencies.percentile(99),
            client_cpu_milliseconds=1e3 * finished.cpu_seconds / items,
            memory_megabytes=watch.memory.peak_megabytes,
            different=different,
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
