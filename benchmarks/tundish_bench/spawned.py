"""A process beside this one, at the other end of a pipe: what it does is not counted as the benchmark's own work."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from tundish_bench.errors import BenchmarkError


class SpawnedProcess:
    """Runs a function, from entering to leaving the context."""

    def __init__(self, target: Callable[..., None], *arguments: object) -> None:
        """`target` is given its end of the pipe and the arguments; a `str` that it sends is why it cannot go on."""
        self._pipe: Connection
        self._pipe, self._theirs = multiprocessing.Pipe()
        # Spawned, not forked: gRPC does not survive a fork of a process that has used it.
        self._process = multiprocessing.get_context("spawn").Process(
            target=target, args=(self._theirs, *arguments), daemon=True
        )

    def receive(self) -> Any:
        """What it sends next; blocks until that comes.

        Raises:
            BenchmarkError: it ended, or said why it cannot go on.
        """
        try:
            said = self._pipe.recv()
        except EOFError:
            raise BenchmarkError("The load's process ended before its load was over.") from None
        if isinstance(said, str):
            raise BenchmarkError(said)
        return said

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()  # the child has its own; with this one open, its end would not be noticed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.terminate()  # nothing is lost: a load that still runs is one that was given up
        self._process.join()
