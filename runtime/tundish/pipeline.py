"""What an instance does with a batch: pre-process, run the engine, post-process.

A model answers at two entries. `Pipeline` serves the model's own name: bytes in, typed results out. `BareEngine`
serves `NAME.engine`: tensors in, tensors out. Both belong to one instance and share its engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from tundish.engines import Arrays, Engine
from tundish.errors import TundishError, answerable
from tundish.results import Result, StageTimes
from tundish.tasks import Task

InputT = TypeVar("InputT", contravariant=True)
OutputT = TypeVar("OutputT")


@dataclass(frozen=True, slots=True)
class Answer(Generic[OutputT]):
    """What became of one item, and the time that it took."""

    output: OutputT
    stage_times: StageTimes


class Entry(Protocol[InputT, OutputT]):
    """One way into a model; one thread at a time may use it."""

    def run(self, batch: Sequence[InputT]) -> list[Answer[OutputT] | TundishError]:
        """Answers every item of the batch; an item that cannot be answered gets its error and costs no other."""
        ...


class Pipeline:
    """The task's pre-processing, the engine and the task's post-processing."""

    def __init__(self, task: Task[Any, Any], engine: Engine) -> None:
        self._task = task
        self._engine = engine

    def run(self, batch: Sequence[bytes]) -> list[Answer[Result] | TundishError]:
        """See `Entry.run`; the items are image files or UTF-8 texts."""
        started = time.monotonic_ns()
        prepared = [self._prepare(data) for data in batch]
        good = [item for item in prepared if not isinstance(item, TundishError)]
        answers = iter(_isolating(lambda items: self._answer(items, started), good) if good else ())
        return [item if isinstance(item, TundishError) else next(answers) for item in prepared]

    def _prepare(self, data: bytes) -> Any:
        """The prepared item, or the error that it cannot be prepared by."""
        try:
            return self._task.prepare(data)
        except Exception as error:
            return answerable(error)

    def _answer(self, items: Sequence[Any], started: int) -> list[Answer[Result]]:
        inputs = self._task.collate(items)
        preprocessed = time.monotonic_ns()
        outputs = self._engine.run(inputs)
        computed = time.monotonic_ns()
        results = self._task.finish(outputs, items)
        times = StageTimes(
            queue_nanoseconds=0,
            preprocess_nanoseconds=preprocessed - started,
            compute_nanoseconds=computed - preprocessed,
            postprocess_nanoseconds=time.monotonic_ns() - computed,
            batch_size=len(items),
        )
        return [Answer(result, times) for result in results]


class BareEngine:
    """The engine alone; items are tensors of one row each, alike in their other dimensions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, batch: Sequence[Arrays]) -> list[Answer[Arrays] | TundishError]:
        """See `Entry.run`."""
        return _isolating(self._answer, batch)

    def _answer(self, items: Sequence[Arrays]) -> list[Answer[Arrays]]:
        started = time.monotonic_ns()
        first = items[0]
        inputs = first if len(items) == 1 else {name: np.concatenate([item[name] for item in items]) for name in first}
        preprocessed = time.monotonic_ns()
        outputs = self._engine.run(inputs)
        times = StageTimes(
            queue_nanoseconds=0,
            preprocess_nanoseconds=preprocessed - started,
            compute_nanoseconds=time.monotonic_ns() - preprocessed,
            postprocess_nanoseconds=0,
            batch_size=len(items),
        )
        return [
            Answer({name: array[row : row + 1] for name, array in outputs.items()}, times) for row in range(len(items))
        ]


def with_queue_time(answer: Answer[OutputT], nanoseconds: int) -> Answer[OutputT]:
    """The answer, with the time that its item waited before its batch began."""
    return replace(answer, stage_times=replace(answer.stage_times, queue_nanoseconds=nanoseconds))


ItemT = TypeVar("ItemT")


def _isolating(
    run: Callable[[Sequence[ItemT]], list[Answer[OutputT]]], items: Sequence[ItemT]
) -> list[Answer[OutputT] | TundishError]:
    """Runs a batch; if it fails, runs its items one by one, so that only those fail that fail alone."""
    try:
        return list(run(items))
    except Exception as error:
        if len(items) > 1:
            return [outcome for item in items for outcome in _isolating(run, [item])]
        return [answerable(error)]
