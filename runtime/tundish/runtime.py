"""The runtime of a process: the models of a repository, loaded and answering. Fronts and programs share it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from types import TracebackType

from tundish.errors import (
    DeadlineExceededError,
    InvalidInputError,
    ModelNotFoundError,
    ModelNotReadyError,
    RepositoryError,
    TundishError,
)
from tundish.inputs import ImageInput, read_input
from tundish.model import Model
from tundish.repository import Entry, scan
from tundish.results import Prediction
from tundish.scheduling import DEFAULT_PRIORITY, RUN_LIMIT_SECONDS, Cores
from tundish.tasks import InputKind

_LOG = logging.getLogger(__name__)


class Runtime:
    """All versions of all models of a repository. Close it, or use it as a context manager.

    Any number of threads may ask it.
    """

    def __init__(
        self, repository: Path, *, instances: int | None = None, run_limit_seconds: float = RUN_LIMIT_SECONDS
    ) -> None:
        """Loads every version, `instances` of each; the default is one for each core that this process may use.

        Together they compute on those cores and no more. An instance that takes longer than `run_limit_seconds` for a
        batch is replaced. A version that cannot be loaded is logged and left out; asking for it says why.

        Raises:
            RepositoryError: nothing of the repository can be served.
        """
        cores = len(os.sched_getaffinity(0))
        self._cores = Cores(cores)
        self._models: dict[str, dict[int, Model | TundishError]] = {}
        for entry in scan(repository):
            self._models.setdefault(entry.model, {})[entry.version] = self._load(
                entry, instances or cores, run_limit_seconds
            )
        if not any(self.ready_models()):
            self._cores.close()
            reasons = " ".join(str(error) for _, _, error in self._failures())
            raise RepositoryError(f"No model of {repository} can be served. {reasons}")

    def model(self, name: str, version: str | int | None = None) -> Model:
        """The version asked for; without one, the highest that is ready.

        Raises:
            ModelNotFoundError: there is no such model or version.
            ModelNotReadyError: it is there but was not loaded.
        """
        versions = self._models.get(name)
        if versions is None:
            raise ModelNotFoundError(f"There is no model '{name}'; there are {', '.join(sorted(self._models))}.")
        if version is None or version == "":
            ready = [number for number, model in versions.items() if isinstance(model, Model)]
            found = versions[max(ready, default=max(versions))]
        else:
            # As text, since that is what a request has: it may be no number, or one of any length.
            by_text = {str(number): model for number, model in sorted(versions.items())}
            if str(version) not in by_text:
                raise ModelNotFoundError(f"Model '{name}' has no version '{version}'; it has {', '.join(by_text)}.")
            found = by_text[str(version)]
        if not isinstance(found, Model):
            raise ModelNotReadyError(f"Model '{name}' is not ready. {found}")
        return found

    def versions(self, name: str) -> list[int]:
        """The ready versions of a model, lowest first; empty if there is no such model."""
        found = self._models.get(name, {})
        return sorted(version for version, model in found.items() if isinstance(model, Model))

    def ready_models(self) -> Iterable[Model]:
        """Every version that answers."""
        for versions in self._models.values():
            yield from (model for model in versions.values() if isinstance(model, Model))

    @property
    def ready(self) -> bool:
        """Whether every version of the repository answers."""
        return not any(self._failures())

    def predict(
        self,
        model: str,
        *,
        image: ImageInput | None = None,
        text: str | None = None,
        version: int | None = None,
        timeout: float | None = None,
        priority: int = DEFAULT_PRIORITY,
    ) -> Prediction:
        """Answers one image (a path, an encoded file or `[height, width, 3] uint8` RGB pixels) or one text.

        Blocks for at most `timeout` seconds. Of `priority`, 1 goes first and 3 last. Raises TundishError; see
        `tundish.errors`.
        """
        kind, data = read_input(image=image, text=text)
        found = self.model(model, version)
        check_kind(found, kind)
        deadline = None if timeout is None else time.monotonic() + timeout
        (future,) = found.submit([data], deadline=deadline, priority=priority)
        try:
            answer = future.result(timeout)
        except FutureTimeoutError:
            future.cancel()
            raise DeadlineExceededError(f"'{model}' gave no answer within {timeout} seconds.") from None
        return Prediction(found.name, found.manifest.version, answer.output, answer.stage_times)

    def close(self) -> None:
        """Refuses new work, answers what was accepted, and returns."""
        for model in self.ready_models():
            model.close()
        self._cores.close()

    def __enter__(self) -> Runtime:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _load(self, entry: Entry, instances: int, run_limit_seconds: float) -> Model | TundishError:
        """The model, or why it cannot be served, which is logged."""
        try:
            if isinstance(entry.content, TundishError):
                raise entry.content
            model = Model(entry.content, self._cores, instances=instances, run_limit_seconds=run_limit_seconds)
        except TundishError as error:
            _LOG.error("Model '%s' version %d is not served: %s", entry.model, entry.version, error)
            return error
        _LOG.info(
            "Model '%s' version %d is ready: %s by %s, %d instances, batches up to %d.",
            entry.model,
            entry.version,
            model.task.name,
            model.variant.name,
            instances,
            model.batching.max_batch_size,
        )
        return model

    def _failures(self) -> Iterable[tuple[str, int, TundishError]]:
        for name, versions in self._models.items():
            for version, model in versions.items():
                if not isinstance(model, Model):
                    yield name, version, model


def check_kind(model: Model, kind: InputKind) -> None:
    """Raises InvalidInputError if the model's task takes another kind of input."""
    if kind != model.task.input_name:
        raise InvalidInputError(
            f"Model '{model.name}' does {model.task.name}: it takes {model.task.input_name}, not {kind}."
        )


def open(repository: str | Path, *, instances: int | None = None) -> Runtime:  # noqa: A001  # tundish.open, as io.open
    """Loads a repository in this process; see `Runtime`."""
    return Runtime(Path(repository), instances=instances)
