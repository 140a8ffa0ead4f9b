"""The runtime of a process: the models of a repository, loaded and answering. Fronts and programs share it."""

from __future__ import annotations

import atexit
import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from types import TracebackType
from typing import Unpack
from weakref import WeakSet

import grpc

from tundish.composed_model import ComposedModel
from tundish.errors import DeadlineExceededError, RepositoryError, StoppingError
from tundish.inputs import Inputs, read_inputs
from tundish.loading import Loader
from tundish.model import Model
from tundish.model_table import ModelTable
from tundish.pipeline import Answer
from tundish.placement.machine import usable_cores
from tundish.placement.placer import Placer
from tundish.results import Prediction, Result
from tundish.scheduling import DEFAULT_PRIORITY, RUN_LIMIT_SECONDS, SEQUENCE_IDLE_SECONDS, Cores
from tundish.statistics import Refusals

_open_runtimes: WeakSet[Runtime] = WeakSet()


@atexit.register
def _close_runtimes() -> None:
    """The interpreter cannot end while a thread is inside an engine: the process would be aborted."""
    for runtime in list(_open_runtimes):
        runtime.close()


class Runtime:
    """All versions of all models of a repository. Close it, or use it as a context manager.

    Any number of threads may ask it. What is still open when the interpreter ends is closed then.
    """

    def __init__(
        self,
        repository: Path,
        *,
        instances: int | None = None,
        run_limit_seconds: float = RUN_LIMIT_SECONDS,
        sequence_idle_seconds: float = SEQUENCE_IDLE_SECONDS,
    ) -> None:
        """Loads every version as it was placed on this machine before, or as a few seconds of measuring say.

        With `instances`, each has so many, of one thread, and nothing is measured. Together they compute on the cores
        that this process may use, and no more. An instance that takes longer than `run_limit_seconds` for a batch is
        replaced. A sequence that no request has come for in `sequence_idle_seconds` ends. A version that cannot be
        loaded is logged and left out; asking for it says why.

        Raises:
            RepositoryError: nothing of the repository can be served.
        """
        self._cores = Cores(usable_cores())
        placer = Placer(repository, self._cores, instances=instances)
        loader = Loader(
            self._cores, placer.place, run_limit_seconds=run_limit_seconds, sequence_idle_seconds=sequence_idle_seconds
        )
        self.table = ModelTable(repository, loader.load)
        self.refusals = Refusals()
        try:
            self.table.load_all()
            if not any(self.ready_models()):
                reasons = " ".join(version.reason for version in self.table.versions())
                raise RepositoryError(f"No model of {repository} can be served. {reasons}")
        except BaseException:
            self.close()
            raise
        _open_runtimes.add(self)

    def model(self, name: str, version: str | int | None = None) -> Model:
        """See `ModelTable.find`."""
        return self.table.find(name, version)

    def count_refusal(self, name: str, status: grpc.StatusCode) -> None:
        """Counts a request that named a model, or one of its entries, and failed before a version had it."""
        model = name.partition(".")[0]
        self.refusals.add(model if model in self.table else "", status)

    def ready_models(self) -> Iterator[Model]:
        """Every version that answers, each with its components behind it."""
        for version in self.table.versions():
            if version.loaded:
                yield version.loaded
            if isinstance(version.loaded, ComposedModel):
                yield from version.loaded.components.values()

    def predict(
        self,
        model: str,
        *,
        version: int | None = None,
        timeout: float | None = None,
        priority: int = DEFAULT_PRIORITY,
        **inputs: Unpack[Inputs],
    ) -> Prediction:
        """Answers what the model reads: `image=`, `text=`, …; see `Inputs`.

        Blocks for at most `timeout` seconds. Of `priority`, 1 goes first and 3 last. Raises TundishError; see
        `tundish.errors`.
        """
        parts = read_inputs(inputs)
        deadline = None if timeout is None else time.monotonic() + timeout

        def ask() -> tuple[Model, Future[Answer[Result]]]:
            found = self.model(model, version)
            (future,) = found.submit([found.item(parts)], deadline=deadline, priority=priority)
            return found, future

        try:
            found, future = ask()
        except StoppingError:  # it was replaced between being found and being asked
            found, future = ask()
        try:
            answer = future.result(timeout)
        except FutureTimeoutError:
            future.cancel()
            raise DeadlineExceededError(f"'{model}' gave no answer within {timeout} seconds.") from None
        finally:
            del future  # whose error keeps this frame, which is not to keep it
        return Prediction(found.name, found.manifest.version, answer.output, answer.stage_times)

    def close(self) -> None:
        """Refuses new work, answers what was accepted, and returns."""
        _open_runtimes.discard(self)
        self.table.close()
        self._cores.close()

    def __enter__(self) -> Runtime:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open(repository: str | Path, *, instances: int | None = None) -> Runtime:  # noqa: A001  # tundish.open, as io.open
    """Loads a repository in this process; see `Runtime`."""
    return Runtime(Path(repository), instances=instances)
