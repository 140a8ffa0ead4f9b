"""The process that a load runs in, so that its work is not the server's and not what measures.

Its pipe carries: from here an `Order`, later `STOP`; from there the records of each tick, with what the process itself
has spent, and at last the rest and `Done`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Set
from dataclasses import dataclass
from multiprocessing.connection import Connection

import uvloop

from tundish_bench.driving import grpc_wire, http_wire
from tundish_bench.driving.load import Closed, Load
from tundish_bench.driving.loops import MOST_UNDER_WAY, Notebook, OpenLoop, run_closed
from tundish_bench.driving.records import Records
from tundish_bench.driving.wire import Asking
from tundish_bench.errors import BenchmarkError
from tundish_bench.spawned import SpawnedProcess

STOP = "stop"

TICK_SECONDS = 0.5
"""How often the generator tells what it has seen."""

_MOST_OPEN_CONNECTIONS = 64
"""Of an open loop: over so many, its requests share the connections."""
_GRACE_SECONDS = 10.0
"""How long after a load's end its last answers are waited for."""
_SWITCH_SECONDS = 2e-4
"""After which a thread that computes lets one go on that has something due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the process is to do."""

    asking: Asking
    load: Load
    block_seconds: float
    """In each of which an open loop has as many requests as belong to it."""
    cores: Set[int] | None
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


class Generator(SpawnedProcess):
    """A load that runs, from entering to leaving the context."""

    def __init__(self, order: Order) -> None:
        super().__init__(_run, order)

    def tick(self) -> Tick:
        """The next one; blocks until it comes.

        Raises:
            BenchmarkError: the process ended.
        """
        tick: Tick = self.receive()
        return tick

    def tick_within(self, seconds: float) -> Tick | None:
        """The next one, if it comes within so long; raises BenchmarkError if the process ended."""
        return self.tick() if self._pipe.poll(seconds) else None

    def stop(self) -> Iterator[Tick]:
        """Ends the load: no more requests are sent; the ticks until the last, when all have ended or are given up."""
        self._pipe.send(STOP)
        while not (tick := self.tick()).is_last:
            yield tick
        yield tick


def _run(pipe: Connection, order: Order) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the other one decides
    if order.cores:
        os.sched_setaffinity(0, order.cores)
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        uvloop.run(_load(pipe, order))
    except BenchmarkError as error:
        pipe.send(str(error))
    except (BrokenPipeError, EOFError):
        return  # nobody listens any more


async def _load(pipe: Connection, order: Order) -> None:
    asking, load, notebook, stop = order.asking, order.load, Notebook(), asyncio.Event()
    connect = grpc_wire.connect if asking.endpoint.wire == "grpc" else http_wire.connect
    callers = load.callers if isinstance(load, Closed) else min(MOST_UNDER_WAY, _MOST_OPEN_CONNECTIONS)
    async with connect(asking, callers) as ask:
        requests = len(asking.requests)
        if isinstance(load, Closed):
            running = asyncio.ensure_future(run_closed(load, ask, requests, notebook, stop))
        else:
            running = asyncio.ensure_future(OpenLoop(load, order.block_seconds, ask, requests, notebook).run(stop))
        while not pipe.poll():
            await asyncio.sleep(TICK_SECONDS)
            pipe.send(_tick(notebook))
        pipe.recv()
        stop.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running, _GRACE_SECONDS)
        notebook.give_up()
        pipe.send(_tick(notebook, is_last=True))


def _tick(notebook: Notebook, *, is_last: bool = False) -> Tick:
    return Tick(time.perf_counter(), notebook.take(), time.process_time(), time.thread_time(), is_last)
