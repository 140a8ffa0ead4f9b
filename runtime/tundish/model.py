"""What answers under a model's name: one network on its instances, or several that are composed.

`EngineModel` and `ComposedModel`, in files of their own, are the two kinds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from tundish.errors import InvalidInputError
from tundish.manifest import Composition, InputName, Manifest
from tundish.pipeline import Answer
from tundish.results import Result
from tundish.scheduling import DEFAULT_PRIORITY, PRIORITIES, Batching, EntryName
from tundish.statistics import Statistics
from tundish.tasks import Item, TypedTask

MAX_ITEMS_PER_REQUEST = 64
"""Larger requests are refused: they would crowd others out of the queue."""


class Model(ABC):
    """A version that answers, until it is closed."""

    manifest: Manifest | Composition
    batching: Batching
    statistics: Mapping[EntryName, Statistics]
    """Of each of its entries."""
    reads: tuple[InputName, ...]
    """The parts of an item, in their order; none for a model that is an engine alone."""

    @property
    def name(self) -> str:
        """The model's name, without its version."""
        return self.manifest.model

    @property
    @abstractmethod
    def task(self) -> TypedTask[Any] | None:
        """None for a model that is an engine alone."""

    @property
    @abstractmethod
    def placed(self) -> str:
        """How it runs, for people."""

    @property
    @abstractmethod
    def waiting(self) -> int:
        """How many items wait."""

    @property
    @abstractmethod
    def live_instances(self) -> int:
        """How many items or batches it works on at a time, at present."""

    @property
    def stateful(self) -> bool:
        """Whether a request is a step of a sequence, for which the model keeps a state."""
        return False

    @property
    def max_items(self) -> int:
        """The most items of a request."""
        return 1 if self.stateful else MAX_ITEMS_PER_REQUEST

    def require_task(self) -> TypedTask[Any]:
        """The task; raises InvalidInputError for a model that is an engine alone."""
        if self.task is None:
            raise InvalidInputError(
                f"Model '{self.name}' takes tensors, not images or texts; ask it by the Open Inference Protocol."
            )
        return self.task

    def require_reads(self) -> tuple[InputName, ...]:
        """What it reads; raises InvalidInputError for a model that a request cannot ask about anything."""
        self.require_task()
        if not self.reads:
            raise InvalidInputError(f"'{self.name}' is asked by the model alone that it is a component of.")
        return self.reads

    def item(self, inputs: Mapping[InputName, Any]) -> Item:
        """One item of these parts; raises InvalidInputError unless they are those that the model reads."""
        task = self.require_task()
        self.require_reads()
        if not inputs:
            raise InvalidInputError(f"The request has no input; model '{self.name}' takes {' and '.join(self.reads)}.")
        if set(inputs) != set(self.reads):
            missing = [name for name in self.reads if name not in inputs]
            is_part = len(missing) + len(inputs) == len(self.reads)
            fault = f"and got no {' and no '.join(missing)}" if is_part else f"not {' and '.join(inputs)}"
            raise InvalidInputError(
                f"Model '{self.name}' does {task.name}: it takes {' and '.join(self.reads)}, {fault}."
            )
        parts = tuple(inputs[name] for name in self.reads)
        return parts if len(parts) > 1 else parts[0]

    def submit(
        self, items: Sequence[Item], *, deadline: float | None = None, priority: int = DEFAULT_PRIORITY
    ) -> list[Future[Answer[Result]]]:
        """Queues items, a future each; see `Scheduler.submit` for deadline, priority and errors.

        Raises:
            InvalidInputError: there are none, or more than a request may carry, there is no such priority, or the model
                takes tensors.
        """
        self.require_task()
        self.check_count(len(items))
        check_priority(priority)
        return self._queue(items, deadline, priority)

    @abstractmethod
    def check_room(self, *, deadline: float | None, priority: int) -> None:
        """Raises what a request would be refused with for those before it, if that is known before it is read."""

    @abstractmethod
    def _queue(self, items: Sequence[Item], deadline: float | None, priority: int) -> list[Future[Answer[Result]]]:
        """See `submit`."""

    @abstractmethod
    def close(self) -> None:
        """Refuses new work, answers what was accepted, and returns."""

    def check_count(self, count: int) -> None:
        """Raises InvalidInputError if a request may not have so many items."""
        if not 1 <= count <= self.max_items:
            allowed = f"1 to {self.max_items} items" if self.max_items > 1 else "1 item"
            raise InvalidInputError(f"A request for '{self.name}' must have {allowed}, got {count}.")


def check_priority(priority: int) -> None:
    """Raises InvalidInputError if there is no such priority."""
    if not 1 <= priority <= PRIORITIES:
        raise InvalidInputError(f"A priority must be between 1, which goes first, and {PRIORITIES}, got {priority}.")


def check_names(model: str, expected: Sequence[str], actual: Sequence[str]) -> None:
    """Raises InvalidInputError unless the request has each expected input once and no other."""
    if sorted(expected) != sorted(actual):
        raise InvalidInputError(f"'{model}' takes the inputs {list(expected)}, got {list(actual)}.")
