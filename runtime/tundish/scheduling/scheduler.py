"""The scheduler of one model: takes its items in, and keeps its instances on the cores that all models share."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any

from tundish.errors import ModelNotReadyError, StoppingError, answerable
from tundish.results import StageTimes
from tundish.scheduling.batching import Batching
from tundish.scheduling.cores import Cores
from tundish.scheduling.instance import Entries, InstanceThread
from tundish.scheduling.item import EntryName, Item, Step
from tundish.scheduling.queue import DEFAULT_PRIORITY

RUN_LIMIT_SECONDS = 60.0
"""An engine that takes longer for a batch is given up."""

_LOG = logging.getLogger(__name__)


class Scheduler:
    """Batches the items of one model onto its instances."""

    def __init__(
        self,
        name: str,
        batching: Batching,
        make_entries: Callable[[int], Sequence[Entries]],
        cores: Cores,
        *,
        on_batch: Callable[[EntryName, StageTimes], None] = lambda _entry, _times: None,
        instances: int,
        threads: int = 1,
        pinnable: bool = False,
        run_limit_seconds: float = RUN_LIMIT_SECONDS,
    ) -> None:
        """Makes the entries of each instance, and starts its thread.

        Args:
            name: For messages and threads.
            batching: How items become batches.
            make_entries: Loads the engines of so many instances; called on this thread for all of them, and on another
                for one when it replaces one that hangs. Whatever it raises, this raises.
            cores: Shared with other models.
            on_batch: Called for each batch that an engine has run, on the instance's thread.
            instances: How many.
            threads: On which an instance computes.
            pinnable: Whether that is its own thread alone, and it starts no others.
            run_limit_seconds: An instance that takes longer for a batch is replaced.
        """
        self._name = name
        self._make_entries = make_entries
        self._on_batch = on_batch
        self._dispatcher = cores.dispatcher
        self._cores = cores
        first = make_entries(instances)
        self._lane = self._dispatcher.add_lane(
            name, batching, threads=threads, run_limit_seconds=run_limit_seconds, pinnable=pinnable
        )
        self._changing = threading.Lock()
        self._instances: list[InstanceThread] | None = []
        """None once it is closed."""
        self._replacing = 0
        """How many are being loaded in the place of others."""
        for entries in first:
            self._add_instance(entries)

    @property
    def waiting(self) -> int:
        """How many items wait in the queue."""
        return len(self._lane.queue)

    @property
    def instances(self) -> int:
        """How many there are at present."""
        with self._changing:
            return len(self._instances or ())

    def check_room(self, *, deadline: float | None, priority: int) -> None:
        """Raises what `submit` would refuse even one item with now, if that is known at once: before it is made."""
        self._dispatcher.check_room(self._lane, deadline=deadline, priority=priority)

    def submit(
        self,
        entry: EntryName,
        payloads: Sequence[Any],
        *,
        shape_key: Hashable = None,
        deadline: float | None = None,
        priority: int = DEFAULT_PRIORITY,
        step: Step | None = None,
        accepted: bool = False,
    ) -> list[Future[Any]]:
        """Queues one item for each payload, all or none, and returns their futures of `Answer`; never blocks.

        Cancelling a future before its item began drops the item. Items share a batch only with items of the same
        entry and `shape_key`. `deadline` is in seconds on `time.monotonic()`'s clock. `step` is the place of the only
        payload in its sequence; cancelling its future has the sequence stay as it is, also if the item has begun.
        Items that are `accepted` belong to a request that is under way already, and are never refused for others.

        Raises:
            QueueFullError: the items do not all fit, would be answered after the deadline, or begin one sequence too
                many.
            InvalidInputError: there is no such sequence.
            StoppingError: the scheduler is closed.
            ModelNotReadyError: no instance is left.
        """
        items = [
            Item(entry=entry, payload=payload, shape_key=shape_key, priority=priority, deadline=deadline, step=step)
            for payload in payloads
        ]
        self._dispatcher.submit(self._lane, items, accepted=accepted)
        return [item.future for item in items]

    def close(self) -> None:
        """Refuses new items, and returns when the accepted ones are answered and the instances have ended."""
        self._dispatcher.close(self._lane)
        self._lane.drained.wait()
        self._dispatcher.remove(self._lane, StoppingError("The model has stopped; ask another server."))
        with self._changing:
            instances, self._instances = self._instances or [], None
        for instance in instances:
            instance.end()

    def _add_instance(self, entries: Entries) -> None:
        with self._changing:
            if self._instances is None:
                return
            instance = InstanceThread(
                self._name,
                entries,
                clock=self._cores.clock,
                pin=self._cores.pin,
                finish=functools.partial(self._dispatcher.finish, self._lane),
                on_batch=self._on_batch,
                on_given_up=self._replace,
            )
            self._instances.append(instance)
        self._dispatcher.add_instance(self._lane, instance)

    def _replace(self, instance: InstanceThread) -> None:
        """Puts another instance in the place of one that hangs; on a thread of its own, since loading takes long."""
        _LOG.error("An instance of '%s' gave no answer in time and is replaced.", self._name)
        with self._changing:
            if self._instances is None:
                return
            self._instances.remove(instance)
            self._replacing += 1
        threading.Thread(target=self._load_again, name=f"{self._name}-replacement", daemon=True).start()

    def _load_again(self) -> None:
        """One instance; without it and all others, the lane is removed."""
        failure: Exception | None = None
        try:
            (entries,) = self._make_entries(1)
            self._add_instance(entries)
        except Exception as error:
            _LOG.exception("'%s' has one instance less: it cannot be loaded again.", self._name)
            failure = error
        with self._changing:
            self._replacing -= 1
            left = len(self._instances or ()) + self._replacing
        if failure and not left:
            reason = f"'{self._name}' has no instance left: {answerable(failure)}"
            self._dispatcher.remove(self._lane, ModelNotReadyError(reason))
