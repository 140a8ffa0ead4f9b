"""What an instance does with a batch: pre-process, run the engine, post-process.

A model answers at two entries. `Pipeline` serves the model's own name: bytes in, typed results out. `BareEngine`
serves `NAME.engine`: tensors in, tensors out; for a model that keeps a state it is `StatefulEngine`, in a file of its
own. Both belong to one instance and share its engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays, Engine
from tundish.errors import TundishError, answerable
from tundish.results import Result, StageTimes
from tundish.tasks import Item, Task

OutputT = TypeVar("OutputT")


@dataclass(frozen=True, slots=True)
class Prepared:
    """An item that can be batched."""

    value: Any
    nanoseconds: int
    """What its preparation took."""
    length: int = 0
    """How much of a batch's width it needs: its tokens; 0 where all items are alike."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[OutputT]):
    """What became of one item, and the time that it took."""

    output: OutputT
    stage_times: StageTimes


class Entry(Protocol[OutputT]):
    """One way into a model; one thread at a time may use it."""

    def prepare(self, payload: Any) -> Prepared:
        """Pre-processes one item.

        Raises:
            InvalidInputError: it cannot be read.
        """
        ...

    def run(self, batch: Sequence[Prepared]) -> list[Answer[OutputT] | TundishError]:
        """Answers every item of the batch; an item that cannot be answered gets its error and costs no other."""
        ...


class Pipeline:
    """The task's pre-processing, the engine and the task's post-processing."""

    def __init__(self, task: Task[Any, Any], engine: Engine) -> None:
        self._task = task
        self._engine = engine

    def prepare(self, payload: Item) -> Prepared:
        """See `Entry.prepare`."""
        started = time.monotonic_ns()
        value = self._task.prepare(payload)
        return Prepared(value, time.monotonic_ns() - started, self._task.length(value))

    def run(self, batch: Sequence[Prepared]) -> list[Answer[Result] | TundishError]:
        """See `Entry.run`; items of each shape run together."""
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for index, prepared in enumerate(batch):
            by_shape.setdefault(self._task.shape(prepared.value), []).append(index)
        answers: dict[int, Answer[Result] | TundishError] = {}
        for indices in by_shape.values():
            alike = isolating(self._answer, [batch[index] for index in indices])
            answers.update(zip(indices, alike, strict=True))
        return [answers[index] for index in range(len(batch))]

    def _answer(self, batch: Sequence[Prepared]) -> list[Answer[Result] | TundishError]:
        items = [prepared.value for prepared in batch]
        started = time.monotonic_ns()
        inputs = self._task.collate(items)
        collated = time.monotonic_ns()
        outputs = self._engine.run(inputs)
        computed = time.monotonic_ns()
        results = self._task.finish(outputs, items)
        times = StageTimes(
            queue_nanoseconds=0,
            preprocess_nanoseconds=sum(prepared.nanoseconds for prepared in batch) + collated - started,
            compute_nanoseconds=computed - collated,
            postprocess_nanoseconds=time.monotonic_ns() - computed,
            batch_size=len(items),
        )
        return [result if isinstance(result, TundishError) else Answer(result, times) for result in results]


class BareEngine:
    """The engine alone; items are tensors of one row each, alike in their other dimensions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def prepare(self, payload: Arrays) -> Prepared:
        """See `Entry.prepare`; there is nothing to do."""
        return Prepared(payload, 0)

    def run(self, batch: Sequence[Prepared]) -> list[Answer[Arrays] | TundishError]:
        """See `Entry.run`."""
        return isolating(self._answer, batch)

    def _answer(self, batch: Sequence[Prepared]) -> list[Answer[Arrays] | TundishError]:
        items = [prepared.value for prepared in batch]
        started = time.monotonic_ns()
        inputs = stacked(self._engine, items)
        preprocessed = time.monotonic_ns()
        outputs = self._engine.run(inputs)
        times = StageTimes(
            queue_nanoseconds=0,
            preprocess_nanoseconds=preprocessed - started,
            compute_nanoseconds=time.monotonic_ns() - preprocessed,
            postprocess_nanoseconds=0,
            batch_size=len(items),
        )
        return [Answer(row, times) for row in rows_of(outputs, len(items))]


def prepare_item(entry: Entry[Any], payload: Any) -> Prepared | TundishError:
    """The prepared item, or the error that it cannot be prepared by."""
    try:
        return entry.prepare(payload)
    except Exception as error:
        return answerable(error)


def run_batch(entry: Entry[OutputT], payloads: Sequence[Any]) -> list[Answer[OutputT] | TundishError]:
    """Takes payloads the whole way, as one batch; each fails for itself."""
    prepared = [prepare_item(entry, payload) for payload in payloads]
    good = [item for item in prepared if isinstance(item, Prepared)]
    answers = iter(entry.run(good) if good else ())
    return [item if isinstance(item, TundishError) else next(answers) for item in prepared]


def with_queue_time(answer: Answer[OutputT], nanoseconds: int) -> Answer[OutputT]:
    """The answer, with the time that its item waited before its batch began."""
    times = answer.stage_times
    waited = StageTimes(
        queue_nanoseconds=nanoseconds,
        preprocess_nanoseconds=times.preprocess_nanoseconds,
        compute_nanoseconds=times.compute_nanoseconds,
        postprocess_nanoseconds=times.postprocess_nanoseconds,
        batch_size=times.batch_size,
    )
    return Answer(answer.output, waited)


def stacked(engine: Engine, items: Sequence[Arrays]) -> dict[str, NDArray[np.generic]]:
    """Rows as one batch; an input of the engine that has no batch gets the one value on which they agree."""
    single = {spec.name for spec in engine.inputs if not spec.shape}
    first = items[0]
    return {
        name: first[name].reshape(())
        if name in single
        else first[name]
        if len(items) == 1
        else np.concatenate([item[name] for item in items])
        for name in first
    }


def rows_of(outputs: Arrays, count: int) -> list[Arrays]:
    """The rows of a batch's outputs."""
    return [{name: array[row : row + 1] for name, array in outputs.items()} for row in range(count)]


def isolating(
    run: Callable[[Sequence[Prepared]], list[Answer[OutputT] | TundishError]], batch: Sequence[Prepared]
) -> list[Answer[OutputT] | TundishError]:
    """Runs a batch; if it fails, runs its items one by one, so that only those fail that fail alone."""
    try:
        return run(batch)
    except Exception as error:
        if len(batch) > 1:
            return [outcome for item in batch for outcome in isolating(run, [item])]
        return [answerable(error)]
