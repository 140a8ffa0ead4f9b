"""The unit that the scheduler works with, and what an instance is given to do."""

from __future__ import annotations

from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from tundish.errors import TundishError

EntryName = Literal["pipeline", "engine"]


@dataclass(slots=True, eq=False, kw_only=True)
class Item:
    """One unit of work; its future is answered exactly once, or cancelled by its owner before it began."""

    entry: EntryName
    payload: Any
    shape_key: Hashable = None
    """Only items of the same entry and shape key may share a batch."""
    priority: int
    """1 goes first."""
    deadline: float | None = None
    """In seconds on the dispatcher's clock, as all times are."""
    arrived: float = 0.0
    order: tuple[float, int] = (0.0, 0)
    """Its place in the queue, which the queue gives it."""
    prepared: Any = None
    """What pre-processing made of the payload, once it has."""
    length: int = 0
    """How much of a batch's width a prepared item needs: its tokens."""
    future: Future[Any] = field(default_factory=Future)

    def mixes_with(self, other: Item) -> bool:
        """Whether the two may share a batch."""
        return self.entry == other.entry and self.shape_key == other.shape_key

    def begin(self) -> bool:
        """Takes the item out of its caller's hands; false if the caller has cancelled it."""
        return self.future.set_running_or_notify_cancel()

    def answer(self, outcome: Any) -> None:
        """Answers the item, unless its caller has cancelled it; an error of the tree is raised to the caller."""
        if not self.future.running() and not self.begin():
            return
        if isinstance(outcome, TundishError):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What an instance does next. Of a batch that is to run, every item has begun: each must be answered."""

    kind: Literal["prepare", "run"]
    items: list[Item]
