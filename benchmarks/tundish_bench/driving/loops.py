"""The loops that ask, in the generator's process: they note times and nothing else, so that they cost little.

The clock is the machine's monotonic one, which all its processes share.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterable

import numpy as np

from tundish_bench.driving.load import Closed, Open
from tundish_bench.driving.outcomes import NOT_WAITED_FOR, Outcome
from tundish_bench.driving.records import Records
from tundish_bench.driving.wire import Ask

MOST_UNDER_WAY = 4096
"""Requests of an open loop at a time; beyond, they wait, and their latency goes on."""

PAUSE_AFTER_ERROR = 0.01
"""Seconds; a server that refuses at once would be asked as fast as the processor can."""


class Notebook:
    """Notes what became of requests until they are taken out."""

    def __init__(self) -> None:
        self._times = array("d")
        self._errors: Counter[str] = Counter()
        self.under_way: dict[int, tuple[float, float]] = {}
        """When each request that has not ended was due and sent, by its number."""

    def ended(self, number: int, outcome: Outcome) -> None:
        """A request that was under way ended now."""
        self._note(*self.under_way.pop(number), outcome)

    def take(self) -> Records:
        """What was noted since the last time."""
        rows = np.frombuffer(self._times.tobytes(), np.float64).reshape(-1, 4)
        errors = self._errors
        self._times, self._errors = array("d"), Counter()
        due, sent, ended, status = (np.ascontiguousarray(column) for column in rows.T)
        return Records(due, sent, ended, status.astype(np.int16), errors)

    def never_sent(self, due: float) -> None:
        """A request was due for which there was never room."""
        self._note(due, time.perf_counter(), NOT_WAITED_FOR)

    def give_up(self) -> None:
        """Whatever is under way is waited for no longer."""
        for number in tuple(self.under_way):
            self.ended(number, NOT_WAITED_FOR)

    def _note(self, due: float, sent: float, outcome: Outcome) -> None:
        self._times.extend((due, sent, time.perf_counter(), outcome.status))
        if outcome.says:
            self._errors[outcome.says] += 1


async def run_closed(load: Closed, ask: Ask, requests: int, notebook: Notebook, stop: asyncio.Event) -> None:
    """Asks until `stop` is set, and until the last answer has come."""
    turns = itertools.cycle(range(requests))

    async def call(number: int) -> None:
        while not stop.is_set():
            sent = time.perf_counter()
            notebook.under_way[number] = sent, sent
            outcome = await ask(next(turns))
            notebook.ended(number, outcome)
            if outcome.says:
                await asyncio.sleep(PAUSE_AFTER_ERROR)

    await asyncio.gather(*(call(number) for number in range(load.callers)))


class OpenLoop:
    """Sends each request when it is due, or as soon after as there is room."""

    def __init__(
        self, load: Open, blocks: Iterable[int], block_seconds: float, ask: Ask, requests: int, notebook: Notebook
    ) -> None:
        self._load, self._blocks, self._block_seconds = load, blocks, block_seconds
        self._ask, self._notebook = ask, notebook
        self._turns, self._numbers = itertools.cycle(range(requests)), itertools.count()
        self._waiting: deque[float] = deque()
        self._sending: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Sends until the blocks or `stop`, which is then set, end it, and until the last answer has come."""
        ended = threading.Event()
        arguments = (asyncio.get_running_loop(), ended, stop)
        # A loop's own timers are a millisecond late.
        clock = threading.Thread(target=self._tell_the_time, args=arguments, daemon=True)
        clock.start()
        try:
            await stop.wait()
        finally:
            ended.set()
            await asyncio.to_thread(clock.join)
        try:
            while self._sending:
                await asyncio.wait(tuple(self._sending))
        finally:
            for task in self._sending:
                task.cancel()
            for due in self._waiting:
                self._notebook.never_sent(due)

    def _tell_the_time(self, loop: asyncio.AbstractEventLoop, ended: threading.Event, stop: asyncio.Event) -> None:
        """On a thread of its own: calls `_arrive` on the loop for each request that is due."""
        began = time.perf_counter()
        for block in self._blocks:
            for due in began + self._load.due(block, self._block_seconds):
                if (left := due - time.perf_counter()) > 0 and ended.wait(left):
                    return
                if ended.is_set():
                    return
                loop.call_soon_threadsafe(self._arrive, float(due))
        loop.call_soon_threadsafe(stop.set)

    def _arrive(self, due: float) -> None:
        if len(self._notebook.under_way) < MOST_UNDER_WAY:
            self._start(due)
        else:
            self._waiting.append(due)

    def _start(self, due: float) -> None:
        number = next(self._numbers)
        self._notebook.under_way[number] = due, time.perf_counter()
        task = asyncio.ensure_future(self._send(number))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, number: int) -> None:
        self._notebook.ended(number, await self._ask(next(self._turns)))
        if self._waiting:
            self._start(self._waiting.popleft())
