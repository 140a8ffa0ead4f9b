"""Servers measured side by side on one workload: in each round each of them, under each number of callers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from tundish_bench.asking import Protocol, ask_alone
from tundish_bench.errors import BenchmarkError
from tundish_bench.load import Load, LoadGenerator
from tundish_bench.peers.timetable import Pace
from tundish_bench.peers.workloads import Workload
from tundish_bench.processes import ServerProcess, machine_busy_seconds

_WARM_UP_SECONDS = 1.0
_SETTLE_SECONDS = 1.0
_IDLE_SECONDS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server as it is asked by one protocol."""

    name: str
    """No two of a comparison are the same."""
    process: ServerProcess
    url: str
    protocol: Protocol
    is_ours: bool = False

    @property
    def by_http(self) -> bool:
        """Whether it is compared with what is asked by HTTP, or else by gRPC."""
        return "http" in self.protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one load showed of a target under some callers."""

    throughput: float
    """Items per second."""
    p50: float
    """Milliseconds from sending to answer, as a caller sees it; so is `p99`."""
    p99: float
    server_cpu: float
    """Milliseconds of an item; so is `client_cpu`."""
    client_cpu: float
    memory: float
    """MB that the server's processes held afterwards, what they share counted once."""
    other_cores: float
    """How many cores were busy with anything but the server and its client."""
    different: int
    answered: int


Points = dict[tuple[str, int], list[Point]]
"""By the target's name and the callers: of each round."""

Answers = dict[str, tuple[str, ...]]
"""By the target's name: to each question, asked alone."""


def ask_each_alone(targets: Sequence[Target], workload: Workload) -> Answers:
    """Their answers, which warms them up, too.

    Raises:
        BenchmarkError: one of them answers otherwise than the bundle does in this process.
    """
    answers = {}
    for target in targets:
        answers[target.name] = asyncio.run(ask_alone(target.url, target.protocol, workload.questions))
        check_alone(target, answers[target.name], workload)
    return answers


def check_alone(target: Target, answers: Sequence[str], workload: Workload) -> None:
    """Raises BenchmarkError if too many of the answers are others than the bundle's."""
    different = sum(one != other for one, other in zip(answers, workload.expected, strict=True))
    allowed = 0.0 if target.is_ours else workload.peers_differ_alone * len(answers)
    if different > allowed:
        raise BenchmarkError(
            f"{target.name} answers {different} of {len(answers)} questions of {workload.name} otherwise than the "
            f"bundle in this process, more than the {allowed:.0f} that may be; it does not serve the same model."
        )


def idle_percents(processes: Sequence[ServerProcess]) -> list[float]:
    """The share of a core that each server takes while nobody asks any.

    The lesser of two spans: who waits busily does so in both, who only finishes its start or its last answer does not.
    """
    time.sleep(_SETTLE_SECONDS)
    spans = [_idle_span(processes) for _ in range(2)]
    return [min(percents) for percents in zip(*spans, strict=True)]


def _idle_span(processes: Sequence[ServerProcess]) -> list[float]:
    before, began = [process.cpu_seconds() for process in processes], time.perf_counter()
    time.sleep(_IDLE_SECONDS)
    seconds = time.perf_counter() - began
    spent = [process.cpu_seconds_since(earlier) for process, earlier in zip(processes, before, strict=True)]
    return [100 * cpu / seconds for cpu in spent]


def measure(
    targets: Sequence[Target],
    workload: Workload,
    answers: Answers,
    *,
    callers: Sequence[int],
    restless: Sequence[ServerProcess],
    pace: Pace,
    advance: Callable[[str], None],
) -> Points:
    """All rounds; `advance` is told of each load before it begins. The `restless` stand still while others are loaded.

    Raises:
        BenchmarkError: a server gave a wrong answer, or none.
    """
    points: Points = {(target.name, count): [] for target in targets for count in callers}
    with LoadGenerator(workload.questions) as generator:
        for target in targets:
            measure_point(generator, target, workload, answers[target.name], max(callers), _WARM_UP_SECONDS)
        for number in range(pace.rounds):
            for count in callers:
                for target in targets[:: 1 if number % 2 == 0 else -1]:
                    advance(f"round {number + 1} of {pace.rounds}: {target.name}, {callers_in_words(count)}")
                    seconds = pace.next_seconds()
                    with ExitStack() as stack:
                        for process in restless:
                            if process is not target.process:
                                stack.enter_context(process.paused())
                        point = measure_point(generator, target, workload, answers[target.name], count, seconds)
                    pace.done()
                    points[target.name, count].append(point)
    return points


def measure_point(
    generator: LoadGenerator, target: Target, workload: Workload, alone: tuple[str, ...], callers: int, seconds: float
) -> Point:
    """Loads a target once.

    Raises:
        BenchmarkError: it answers otherwise than when it was asked alone, or not at all.
    """
    load = Load(url=target.url, protocol=target.protocol, callers=callers, seconds=seconds, expected=alone)
    busy_before, cpu_before = machine_busy_seconds(), target.process.cpu_seconds()
    report = generator.run(load)
    cpu, busy = target.process.cpu_seconds_since(cpu_before), machine_busy_seconds() - busy_before
    if report.different > workload.differ_loaded * report.answered:
        raise BenchmarkError(
            f"{target.name} answered {report.different} of {report.answered} questions of {workload.name} otherwise "
            f"than when asked alone, more than the {100 * workload.differ_loaded:g} % that may be."
        )
    p50, p99 = np.percentile(report.latencies, (50, 99))  # of a single answer, too: a slow machine, a short load
    return Point(
        throughput=report.answered / report.wall_seconds,
        p50=1e3 * float(p50),
        p99=1e3 * float(p99),
        server_cpu=1e3 * cpu / report.answered,
        client_cpu=1e3 * report.client_cpu_seconds / report.answered,
        memory=target.process.proportional_bytes() / 1e6,
        other_cores=max(0.0, (busy - cpu - report.client_cpu_seconds) / report.wall_seconds),
        different=report.different,
        answered=report.answered,
    )


def callers_in_words(count: int) -> str:
    """With the noun."""
    return f"{count} caller" + "s" * (count > 1)
