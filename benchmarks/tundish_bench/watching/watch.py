"""Watches a server, this machine and its GPUs for an interval, in a thread of its own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

from tundish_bench.processes import machine_busy_seconds
from tundish_bench.watching.family import Family
from tundish_bench.watching.gpu import GpuWatch, GpuWatched
from tundish_bench.watching.server import Memory, ServerWatch

_LEAST_PAUSE_SECONDS = 0.2
_PROCESSES_SHARE = 0.0025
"""Of a core, that reading processes may take. It takes milliseconds at a time, for which a load beside it waits: if one
request in a hundred met them, they would be its p99."""
_GPUS_SHARE = 0.02
"""Of a core: the driver's own averages are of a second, and want to be read as often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was seen in an interval."""

    seconds: float
    cpu_seconds: float | None
    """Of the server's processes together; None if no server is watched."""
    memory: Memory | None
    other_cores: float
    """How many cores were busy with anything but the server, this process and what this one has started.

    Where no server is watched but one runs on this machine, it is among the others.
    """
    gpus: tuple[GpuWatched, ...]
    notes: tuple[str, ...]
    """What the figures lack, in sentences."""


class Watch:
    """Watches from entering to leaving its context; it may be entered again for the next interval.

    watch = Watch(find_server("127.0.0.1", 8001))
    with watch:
        run_the_load()
    watch.watched.cpu_seconds
    """

    def __init__(self, server: int | None) -> None:
        """`server` is the id of its process; its children count with it."""
        self._pid = server
        self._gpus = GpuWatch()
        self._watched: Watched | None = None
        self._over = threading.Event()

    @property
    def reason_without_gpu(self) -> str | None:
        """Why no GPU is watched, as a sentence; None if some are."""
        return self._gpus.reason

    @property
    def watched(self) -> Watched:
        """Of the last interval that is over."""
        assert self._watched is not None, "nothing has been watched yet"
        return self._watched

    def __enter__(self) -> Watch:
        """Raises BenchmarkError if the server's process is not there."""
        self._server = None if self._pid is None else ServerWatch(self._pid)
        self._ours = Family(os.getpid(), without=self._pid)
        self._gpus.start()
        self._over.clear()
        self._thread = ThreadPoolExecutor(1, "watch")
        self._busy_before, self._began = machine_busy_seconds(), time.perf_counter()
        self._sampling: Future[None] = self._thread.submit(self._sample_until_over)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        busy, seconds = machine_busy_seconds() - self._busy_before, time.perf_counter() - self._began
        self._over.set()
        self._thread.shutdown()
        self._sampling.result()  # what went wrong in there
        known = self._ours.cpu_seconds() + (self._server.cpu_seconds if self._server else 0.0)
        self._watched = Watched(
            seconds=seconds,
            cpu_seconds=self._server.cpu_seconds if self._server else None,
            memory=self._server.memory if self._server else None,
            other_cores=max(0.0, (busy - known) / seconds),
            gpus=self._gpus.watched,
            notes=self._server.notes if self._server else (),
        )

    def _sample_until_over(self) -> None:
        """The last samples come when the interval is over."""
        samplers = (_Sampler(self._sample_processes, _PROCESSES_SHARE), _Sampler(self._gpus.sample, _GPUS_SHARE))
        while not self._over.wait(max(0.0, min(each.due for each in samplers) - time.monotonic())):
            for each in samplers:
                if each.due <= time.monotonic():
                    each.sample()
        for each in samplers:
            each.sample()

    def _sample_processes(self) -> None:
        if self._server:
            self._server.sample()
        self._ours.look()


@dataclass(slots=True)
class _Sampler:
    """Reads as often as its share of a core allows."""

    read: Callable[[], None]
    share: float
    due: float = 0.0
    """When it may read again, by the monotonic clock."""

    def sample(self) -> None:
        """Reads now."""
        began = time.thread_time()
        self.read()
        pause = (time.thread_time() - began) / self.share
        self.due = time.monotonic() + max(_LEAST_PAUSE_SECONDS, pause)
