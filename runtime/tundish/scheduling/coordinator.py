"""The scheduler of a composed model: it computes nothing, and leads items through the models that do.

It has a lane at the dispatcher, with all the rules of one, and places where other lanes have instances. A place takes
one item at a time, and is free again when the item's last step is done. The places bound what is under way, as decoded
images that wait for their next step. Everything that happens to items happens on one thread.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any

from tundish.errors import StoppingError
from tundish.scheduling.batching import Batching
from tundish.scheduling.cores import Cores
from tundish.scheduling.item import Item, Work

_LOG = logging.getLogger(__name__)

Event = Callable[[], None]
Begin = Callable[[Item, Callable[[Any], None]], None]


class Coordinator:
    """Takes items in, and begins with each when it has a place for it."""

    def __init__(self, name: str, batching: Batching, cores: Cores, *, places: int, begin: Begin) -> None:
        """Starts the thread.

        Args:
            name: For messages and the thread.
            batching: Of which the size of the queue counts.
            cores: Whose dispatcher gives out the items.
            places: How many items are under way at a time, at most.
            begin: Called on the coordinator's thread with an item and what is to be called there, once, with its
                outcome: an `Answer` or an error of the tree. May not raise.
        """
        self._begin = begin
        self._dispatcher = cores.dispatcher
        self._lane = self._dispatcher.add_lane(name, batching, threads=0, run_limit_seconds=math.inf)
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"{name}-coordinator", daemon=True)
        self._thread.start()
        self.places = places
        for _ in range(places):
            self._dispatcher.add_instance(self._lane, _Place(self._take))

    @property
    def waiting(self) -> int:
        """How many items wait for a place."""
        return len(self._lane.queue)

    def check_room(self, *, deadline: float | None, priority: int) -> None:
        """See `Scheduler.check_room`."""
        self._dispatcher.check_room(self._lane, deadline=deadline, priority=priority)

    def submit(self, payloads: Sequence[Any], *, deadline: float | None, priority: int) -> list[Future[Any]]:
        """See `Scheduler.submit`."""
        items = [Item(entry="pipeline", payload=payload, priority=priority, deadline=deadline) for payload in payloads]
        self._dispatcher.submit(self._lane, items)
        return [item.future for item in items]

    def post(self, event: Event) -> None:
        """Has the coordinator's thread call `event`, which may not raise. Any thread may ask."""
        self._events.put(event)

    def close(self) -> None:
        """Refuses new items, and returns when the accepted ones are answered."""
        self._dispatcher.close(self._lane)
        self._lane.drained.wait()
        self._dispatcher.remove(self._lane, StoppingError("The model has stopped; ask another server."))
        self._events.put(None)
        self._thread.join()

    def _take(self, place: _Place, work: Work) -> None:
        """Called by the dispatcher, of which nothing may be called here."""
        (item,) = work.items
        self._events.put(lambda: self._begin(item, partial(self._end, place, item)))

    def _end(self, place: _Place, item: Item, outcome: Any) -> None:
        self._dispatcher.finish(self._lane, place)
        item.answer(outcome)

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                event()
            except Exception:  # one item's fault, which is never to end the thread
                _LOG.exception("An event of %s failed.", self._thread.name)


class _Place:
    """See `Instance`."""

    def __init__(self, take: Callable[[_Place, Work], None]) -> None:
        self._take = take

    def start(self, work: Work, core: int | None) -> None:  # noqa: ARG002
        """See `Instance.start`."""
        self._take(self, work)

    def give_up(self) -> None:
        """See `Instance.give_up`; never, since a place has no limit."""
