"""The scheduler of one model: its queue, and the instances that take batches from it.

An instance is a thread with an engine of its own. It takes a batch, runs it through the entry that the items came in
by, and answers their futures; the caller's thread never computes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from tundish.errors import TundishError, answerable
from tundish.pipeline import Entry, with_queue_time
from tundish.scheduling.queue import Batching, EntryName, Item, ItemQueue

Entries = Mapping[EntryName, Entry[Any, Any]]

_SMOOTHING = 0.1
"""Weight of the newest batch in the running mean of the seconds that an item takes."""


class Scheduler:
    """Batches the items of one model onto its instances."""

    def __init__(self, name: str, instances: Sequence[Entries], batching: Batching) -> None:
        """Starts a thread for each instance; `instances` are owned by the scheduler from then on."""
        self._queue = ItemQueue(batching)
        self._seconds_per_item = 0.0
        self._threads = [
            threading.Thread(target=self._drive, args=(entries,), name=f"{name}-{index}", daemon=True)
            for index, entries in enumerate(instances)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        entry: EntryName,
        payloads: Sequence[Any],
        *,
        shape_key: Hashable = None,
        deadline: float | None = None,
    ) -> list[Future[Any]]:
        """Queues one item for each payload, all or none, and returns their futures of `Answer`; never blocks.

        Cancelling a future before its item began drops the item. Items share a batch only with items of the same
        entry and `shape_key`. `deadline` is in seconds on `time.monotonic()`'s clock.

        Raises:
            QueueFullError: the items do not all fit.
            StoppingError: the scheduler is closed.
        """
        items = [Item(entry, shape_key, payload, deadline) for payload in payloads]
        self._queue.put(items, drain_seconds_per_item=self._seconds_per_item / len(self._threads))
        return [item.future for item in items]

    def close(self) -> None:
        """Refuses new items, and returns when the accepted ones are answered and the instances have ended."""
        self._queue.close()
        for thread in self._threads:
            thread.join()

    def _drive(self, entries: Entries) -> None:
        """An instance's life. Nothing that an item does may end it."""
        while (batch := self._queue.take()) is not None:
            started = time.monotonic_ns()
            try:
                outcomes = entries[batch[0].entry].run([item.payload for item in batch])
            except Exception as error:
                outcomes = [answerable(error)] * len(batch)
            for item, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, TundishError):
                    item.future.set_exception(outcome)
                else:
                    item.future.set_result(with_queue_time(outcome, started - item.arrived_nanoseconds))
            seconds = (time.monotonic_ns() - started) * 1e-9 / len(batch)
            self._seconds_per_item += _SMOOTHING * (seconds - self._seconds_per_item)
