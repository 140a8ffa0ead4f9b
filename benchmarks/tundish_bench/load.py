"""Load from a process of its own: callers that each ask their next question when the last one is answered.

The process is a second one so that its work is not counted as the benchmark's, and one for all servers so that each
gets the same messages by the same code. It compares every answer with the one that it is told to expect.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeVar

from tundish_bench.asking import Protocol as WireProtocol
from tundish_bench.asking import Question, connect
from tundish_bench.errors import BenchmarkError
from tundish_bench.spawned import SpawnedProcess

ReportT = TypeVar("ReportT", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Whom to ask, for how long, and the answer to expect to each question."""

    url: str
    protocol: WireProtocol
    callers: int
    seconds: float
    expected: tuple[str, ...]

    def lasting(self, seconds: float) -> Load:
        """The same for another time."""
        return replace(self, seconds=seconds)

    async def run(self, questions: Sequence[Question]) -> LoadReport:
        """Loads the server; see `Work.run`."""
        latencies: list[float] = []
        different = 0
        turns = itertools.cycle(range(len(questions)))

        async with connect(self.url, self.protocol, questions) as ask:
            cpu_before = time.process_time()
            began = time.perf_counter()

            async def call_until_the_end() -> None:
                nonlocal different
                while (sent := time.perf_counter()) - began < self.seconds:
                    turn = next(turns)
                    answer = await ask(turn)
                    latencies.append(time.perf_counter() - sent)
                    different += answer != self.expected[turn]

            await asyncio.gather(*(call_until_the_end() for _ in range(self.callers)))
            return LoadReport(
                wall_seconds=time.perf_counter() - began,
                client_cpu_seconds=time.process_time() - cpu_before,
                latencies=tuple(latencies),
                different=different,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What a load saw."""

    wall_seconds: float
    client_cpu_seconds: float
    latencies: tuple[float, ...]
    """Seconds from sending each question to its answer."""
    different: int
    """Answers that are others than expected."""

    @property
    def answered(self) -> int:
        """How many questions were answered."""
        return len(self.latencies)


class Work(Protocol[ReportT]):
    """What a load's process does: a `Load`, or an `Offer`."""

    async def run(self, questions: Sequence[Question]) -> ReportT:
        """Asks a server the questions, again and again.

        Raises:
            BenchmarkError: a question was not answered that must be.
        """
        ...


class LoadGenerator(SpawnedProcess):
    """The load's process, from entering to leaving the context; one load at a time."""

    def __init__(self, questions: Sequence[Question]) -> None:
        super().__init__(_serve_loads, tuple(questions))

    def run(self, load: Work[ReportT]) -> ReportT:
        """Blocks until the load is over.

        Raises:
            BenchmarkError: a question was not answered.
        """
        self._pipe.send(load)
        outcome: ReportT = self.receive()
        return outcome


def _serve_loads(pipe: Connection, questions: tuple[Question, ...]) -> None:
    """The process's life: runs the loads that come by the pipe, until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the other one decides
    while True:
        try:
            load: Work[Any] = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(asyncio.run(load.run(questions)))
        except BenchmarkError as error:
            pipe.send(str(error))
