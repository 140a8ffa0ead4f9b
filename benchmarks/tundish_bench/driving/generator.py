"""The process that loads run in, so that their work is not the server's and not what measures.

One for all servers that are compared, so that each gets the same requests by the same code. Its pipe carries: from here
an `Order`, later `STOP` unless the load ends by itself; from there a tick before the first request, one every now and
then, each with what has ended since the last one and what the process has spent, and a last one with the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Set
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType

import uvloop

from tundish_bench.driving.asking import Asking
from tundish_bench.driving.connecting import connect
from tundish_bench.driving.load import Closed, Load
from tundish_bench.driving.loops import MOST_UNDER_WAY, Notebook, OpenLoop, run_closed
from tundish_bench.driving.records import Records, joined
from tundish_bench.errors import BenchmarkError

STOP = "stop"

TICK_SECONDS = 0.5
"""How often the generator tells what it has seen."""

_CALLERS_OF_OPEN_LOOP = {"grpc": 64, "http": MOST_UNDER_WAY}
"""For how many an open loop has connections: gRPC's are shared by any number of requests, HTTP's by none. They are
opened when they are needed."""
_GRACE_SECONDS = 10.0
"""How long after a load's end its last answers are waited for."""
_SWITCH_SECONDS = 2e-4
"""Of an open loop: after which a thread that computes lets the one go on that has something due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the process is to do."""

    asking: Asking
    load: Load
    block_seconds: float
    """In each of which an open loop has as many requests as belong to it."""
    ends_itself: bool = False
    """After one block; otherwise it goes on until it is told to stop."""
    cores: Set[int] | None = None
    """Those it may use; None for all of this process's."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What the generator has seen since the last one."""

    at: float
    records: Records
    cpu_seconds: float
    """Of its process so far."""
    loop_seconds: float
    """Of the one thread that all its requests go through, so far."""
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """A load that has ended by itself, from before its first request to after its last answer."""

    began: float
    seconds: float
    records: Records
    cpu_seconds: float
    """Of the generator's process."""


class Generator:
    """The process, from entering to leaving the context; one load at a time."""

    def __init__(self) -> None:
        self._pipe, self._theirs = multiprocessing.Pipe()
        # Spawned, not forked: gRPC does not survive a fork of a process that has used it.
        self._process = multiprocessing.get_context("spawn").Process(target=_run, args=(self._theirs,), daemon=True)

    def begin(self, order: Order) -> None:
        """Begins a load, of which `tick` tells."""
        self._pipe.send(order)

    def tick(self) -> Tick:
        """The next one; blocks until it comes.

        Raises:
            BenchmarkError: the process ended.
        """
        try:
            tick: Tick = self._pipe.recv()
        except EOFError:
            raise BenchmarkError("The load's process ended before its load was over.") from None
        return tick

    def tick_within(self, seconds: float) -> Tick | None:
        """The next one, if it comes within so long; raises BenchmarkError if the process ended."""
        return self.tick() if self._pipe.poll(seconds) else None

    def stop(self) -> Iterator[Tick]:
        """Ends the load: no more requests are sent; the ticks until the last, when all have ended or are given up."""
        self._pipe.send(STOP)
        return self._rest()

    def run(self, order: Order) -> Finished:
        """A load that ends by itself; blocks until it has.

        Raises:
            BenchmarkError: the process ended.
        """
        self.begin(order)
        first, *_, last = ticks = list(self._rest())
        records = joined(tick.records for tick in ticks)
        return Finished(first.at, last.at - first.at, records, last.cpu_seconds - first.cpu_seconds)

    def _rest(self) -> Iterator[Tick]:
        while not (tick := self.tick()).is_last:
            yield tick
        yield tick

    def __enter__(self) -> Generator:
        self._process.start()
        self._theirs.close()  # the child has its own; with this one open, its end would not be noticed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.terminate()  # nothing is lost: a load that still runs is one that was given up
        self._process.join()


def _run(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the other one decides
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # each connection is one
    everywhere = os.sched_getaffinity(0)
    usual = sys.getswitchinterval()
    with contextlib.suppress(BrokenPipeError, EOFError):  # nobody listens any more
        while True:
            order: Order = pipe.recv()
            os.sched_setaffinity(0, order.cores or everywhere)
            sys.setswitchinterval(usual if isinstance(order.load, Closed) else _SWITCH_SECONDS)
            # What is there before a load is looked through for garbage now, not for 50 ms in the middle of it.
            gc.collect()
            gc.freeze()
            uvloop.run(_load(pipe, order))


async def _load(pipe: Connection, order: Order) -> None:
    asking, load, notebook, stop = order.asking, order.load, Notebook(), asyncio.Event()
    callers = load.callers if isinstance(load, Closed) else _CALLERS_OF_OPEN_LOOP[asking.endpoint.wire]
    async with connect(asking, asking.judge, callers) as ask:
        requests = len(asking.requests)
        pipe.send(_tick(notebook))
        if isinstance(load, Closed):
            running = asyncio.ensure_future(run_closed(load, ask, requests, notebook, stop))
            if order.ends_itself:
                asyncio.get_running_loop().call_later(order.block_seconds, stop.set)
        else:
            blocks = range(1) if order.ends_itself else itertools.count()
            loop = OpenLoop(load, blocks, order.block_seconds, ask, requests, notebook)
            running = asyncio.ensure_future(loop.run(stop))
        while not (running.done() or stop.is_set() or pipe.poll()):
            await asyncio.wait((running,), timeout=TICK_SECONDS)
            pipe.send(_tick(notebook))
        if not order.ends_itself:
            pipe.recv()
            stop.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running, _GRACE_SECONDS)
        notebook.give_up()
        pipe.send(_tick(notebook, is_last=True))


def _tick(notebook: Notebook, *, is_last: bool = False) -> Tick:
    return Tick(time.perf_counter(), notebook.take(), time.process_time(), time.thread_time(), is_last)
