"""The unit that the scheduler works with, and what an instance is given to do."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from tundish.errors import TundishError

EntryName = Literal["pipeline", "engine"]


@dataclass(slots=True, eq=False, kw_only=True)
class Step:
    """An item's place in the sequence that it belongs to, of a model that keeps a state for each."""

    sequence: int | str
    """Its name among the model's sequences; 7 and '7' are two."""
    start: bool = False
    """It begins the sequence, anew if there is one of the name."""
    end: bool = False
    """It is the last of the sequence."""
    state: Any = None
    """What its engine begins with, which the queue sets when its turn comes; None for the state of a beginning."""
    state_after: Any = None
    """What its engine leaves, which the engine sets; None if it failed."""


class _Future(Future[Any]):
    """Remembers that its owner wants no answer any more, also if it was too late to cancel."""

    abandoned = False
    on_abandoned: Callable[[], None] | None = None
    """Called then by the owner's thread, unless it has its answer; set by whoever has the item."""

    def cancel(self) -> bool:
        self.abandoned = True
        if self.on_abandoned is not None and not self.done():
            self.on_abandoned()
        return super().cancel()


@dataclass(slots=True, eq=False, kw_only=True)
class Item:
    """One unit of work; its future is answered exactly once, or cancelled by its owner before it began."""

    entry: EntryName
    payload: Any
    shape_key: Hashable = None
    """Only items of the same entry and shape key may share a batch."""
    priority: int
    """1 goes first."""
    step: Step | None = None
    """Of a model that keeps a state."""
    deadline: float | None = None
    """In seconds on the dispatcher's clock, as all times are."""
    arrived: float = 0.0
    order: tuple[float, int] = (0.0, 0)
    """Its place in the queue, which the queue gives it."""
    prepared: Any = None
    """What pre-processing made of the payload, once it has."""
    length: int = 0
    """How much of a batch's width a prepared item needs: its tokens."""
    future: _Future = field(default_factory=_Future)

    @property
    def abandoned(self) -> bool:
        """Whether its caller has gone."""
        return self.future.abandoned

    def mixes_with(self, other: Item) -> bool:
        """Whether the two may share a batch."""
        return self.entry == other.entry and self.shape_key == other.shape_key

    def begin(self) -> bool:
        """Takes the item out of its caller's hands; false if the caller has cancelled it."""
        return self.future.set_running_or_notify_cancel()

    def answer(self, outcome: Any) -> None:
        """Answers the item, unless its caller has cancelled it; an error of the tree is raised to the caller."""
        if not self.future.running():
            if self.abandoned:
                self.future.cancel()  # its caller is about to; an error that it did not wait for would be a surprise
            if not self.begin():
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
