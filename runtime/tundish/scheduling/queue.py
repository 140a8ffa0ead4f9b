"""The queue of a model, and the rule by which waiting items become a batch.

The rule, in full:

1. Items are taken in the order of their arrival. The oldest that waits is always in the next batch.
2. A batch is greedy: an idle instance takes at once what waits, up to `max_batch_size`.
3. Only items of one kind share a batch: the same entry, for tensors also the same shapes. A batch ends before the
   first item of another kind, so that no item is overtaken.
4. With a `max_queue_delay_microseconds` above 0, an instance that finds less than a full batch waits for more, until
   the oldest item has waited that long.
5. An item whose caller has cancelled, or whose deadline has passed, is dropped when its turn comes. It is never run.
6. A full queue first lets go of what rule 5 drops, then refuses new items at once; a closed one refuses all, and gives
   out what it has.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from tundish.errors import DeadlineExceededError, QueueFullError, StoppingError

EntryName = Literal["pipeline", "engine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How a model's items are queued and batched."""

    max_batch_size: int
    max_queue_delay_microseconds: int = 0
    max_queue_size: int = 256


@dataclass(slots=True, eq=False)
class Item:
    """One unit of work; its future is answered exactly once, or cancelled by its owner before it began."""

    entry: EntryName
    shape_key: Hashable
    """Only items of the same entry and shape key may share a batch."""
    payload: Any
    deadline: float | None
    """On `time.monotonic()`'s clock, in seconds."""
    future: Future[Any] = field(default_factory=Future)
    arrived_nanoseconds: int = field(default_factory=time.monotonic_ns)

    def mixes_with(self, other: Item) -> bool:
        """Whether the two may share a batch."""
        return self.entry == other.entry and self.shape_key == other.shape_key


class ItemQueue:
    """A bounded queue that gives out batches; any number of threads may put and take."""

    def __init__(self, batching: Batching) -> None:
        self._batching = batching
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, items: list[Item], *, drain_seconds_per_item: float) -> None:
        """Accepts all of the items or none; never blocks for room.

        Raises:
            QueueFullError: they do not all fit; its hint supposes that an item takes `drain_seconds_per_item`.
            StoppingError: the queue is closed.
        """
        limit = self._batching.max_queue_size
        with self._changed:
            if self._closed:
                raise StoppingError("The model is stopping and takes no new work; ask another server.")
            if len(self._items) + len(items) > limit:
                self._items = deque(filter(_is_live, self._items))
            if len(self._items) + len(items) > limit:
                raise QueueFullError(
                    f"The queue holds {len(self._items)} of at most {limit} items, {len(items)} more do not fit; "
                    "try again later.",
                    retry_after_seconds=drain_seconds_per_item * limit / 2,
                )
            self._items.extend(items)
            self._changed.notify(len(items))

    def take(self) -> list[Item] | None:
        """The next batch, in arrival order; blocks until there is one. None when the queue is closed and empty.

        The items of the batch have been marked as running: the taker must answer each of them.
        """
        with self._changed:
            while True:
                self._drop_dead()
                if self._items:
                    if self._closed or (wait := self._seconds_to_hold()) <= 0:
                        if batch := self._take_batch():
                            return batch
                    else:
                        self._changed.wait(wait)
                elif self._closed:
                    return None
                else:
                    self._changed.wait()

    def close(self) -> None:
        """Refuses new items from now on; those accepted are still given out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _batch_length(self) -> int:
        """How many of the items at the head may run together."""
        length = 0
        for item in self._items:
            if length == self._batching.max_batch_size or not item.mixes_with(self._items[0]):
                break
            length += 1
        return length

    def _seconds_to_hold(self) -> float:
        delay = self._batching.max_queue_delay_microseconds * 1e-6
        if not delay:
            return 0.0
        length = self._batch_length()
        # A batch that an item of another kind has ended can grow no more.
        if length == self._batching.max_batch_size or length < len(self._items):
            return 0.0
        return self._items[0].arrived_nanoseconds * 1e-9 + delay - time.monotonic()

    def _take_batch(self) -> list[Item]:
        batch = []
        for _ in range(self._batch_length()):
            item = self._items.popleft()
            if _is_live(item) and item.future.set_running_or_notify_cancel():
                batch.append(item)
        return batch

    def _drop_dead(self) -> None:
        """Clears the head, so that rule 4 counts from an item that will run."""
        while self._items and not _is_live(self._items[0]):
            self._items.popleft()


def _is_live(item: Item) -> bool:
    """Whether the item is still to be run; answers its future if its deadline has passed."""
    if item.future.cancelled():
        return False
    if item.deadline is not None and time.monotonic() >= item.deadline:
        if item.future.set_running_or_notify_cancel():
            item.future.set_exception(DeadlineExceededError("The deadline passed in the queue; the work was not run."))
        return False
    return True
