"""The scheduler of one model: takes its items in, and drives its instances on the cores that all models share.

An instance is a thread with an engine of its own. It does what the dispatcher hands it: pre-processes items, runs
batches through the entry that their items came in by, and answers their futures; the caller's thread never computes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from tundish.errors import ModelNotReadyError, StoppingError, TundishError, answerable
from tundish.pipeline import Answer, Entry, prepare_item, with_queue_time
from tundish.scheduling.batching import Batching
from tundish.scheduling.cores import Cores
from tundish.scheduling.dispatcher import Dispatcher, Lane
from tundish.scheduling.item import EntryName, Item, Work
from tundish.scheduling.queue import DEFAULT_PRIORITY

Entries = Mapping[EntryName, Entry[Any]]

RUN_LIMIT_SECONDS = 60.0
"""An engine that takes longer for a batch is given up."""

_LOG = logging.getLogger(__name__)


class Scheduler:
    """Batches the items of one model onto its instances."""

    def __init__(
        self,
        name: str,
        batching: Batching,
        make_entries: Callable[[], Entries],
        cores: Cores,
        *,
        instances: int,
        threads: int = 1,
        run_limit_seconds: float = RUN_LIMIT_SECONDS,
    ) -> None:
        """Makes the entries of each instance, and starts its thread.

        Args:
            name: For messages and threads.
            batching: How items become batches.
            make_entries: Loads an engine; called on this thread for the first instances, and on another's when one that
                hangs is replaced. Whatever it raises, this raises.
            cores: Shared with other models.
            instances: How many.
            threads: On which an instance computes.
            run_limit_seconds: An instance that takes longer for a batch is replaced.
        """
        self._name = name
        self._make_entries = make_entries
        self._dispatcher = cores.dispatcher
        self._clock = cores.clock
        first = [make_entries() for _ in range(instances)]
        self._lane = self._dispatcher.add_lane(name, batching, threads=threads, run_limit_seconds=run_limit_seconds)
        self._changing = threading.Lock()
        self._instances: list[_InstanceThread] | None = []
        """None once it is closed."""
        for entries in first:
            self._add_instance(entries)

    def submit(
        self,
        entry: EntryName,
        payloads: Sequence[Any],
        *,
        shape_key: Hashable = None,
        deadline: float | None = None,
        priority: int = DEFAULT_PRIORITY,
    ) -> list[Future[Any]]:
        """Queues one item for each payload, all or none, and returns their futures of `Answer`; never blocks.

        Cancelling a future before its item began drops the item. Items share a batch only with items of the same
        entry and `shape_key`. `deadline` is in seconds on `time.monotonic()`'s clock.

        Raises:
            QueueFullError: the items do not all fit, or would be answered after the deadline.
            StoppingError: the scheduler is closed.
            ModelNotReadyError: no instance is left.
        """
        items = [
            Item(entry=entry, payload=payload, shape_key=shape_key, priority=priority, deadline=deadline)
            for payload in payloads
        ]
        self._dispatcher.submit(self._lane, items)
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
            instance = _InstanceThread(self._name, entries, self._dispatcher, self._lane, self._clock, self._replace)
            self._instances.append(instance)
        self._dispatcher.add_instance(self._lane, instance)

    def _replace(self, instance: _InstanceThread) -> None:
        """Puts another instance in the place of one that hangs; on a thread of its own, since loading takes long."""

        def load() -> None:
            try:
                entries = self._make_entries()
            except Exception as error:
                _LOG.exception("'%s' has one instance less: it cannot be loaded again.", self._name)
                with self._changing:
                    left = len(self._instances or ())
                if not left:
                    reason = f"'{self._name}' has no instance left: {answerable(error)}"
                    self._dispatcher.remove(self._lane, ModelNotReadyError(reason))
                return
            self._add_instance(entries)

        _LOG.error("An instance of '%s' gave no answer in time and is replaced.", self._name)
        with self._changing:
            if self._instances is None:
                return
            self._instances.remove(instance)
        threading.Thread(target=load, name=f"{self._name}-replacement", daemon=True).start()


class _InstanceThread:
    """Waits for work and does it, until it is told to end or given up."""

    def __init__(
        self,
        name: str,
        entries: Entries,
        dispatcher: Dispatcher,
        lane: Lane,
        clock: Callable[[], float],
        on_given_up: Callable[[_InstanceThread], None],
    ) -> None:
        self._entries = entries
        self._dispatcher = dispatcher
        self._lane = lane
        self._clock = clock
        self._on_given_up = on_given_up
        self._mailbox: SimpleQueue[Work | None] = SimpleQueue()
        # A daemon, since one that hangs would keep the process from ending.
        self._thread = threading.Thread(target=self._drive, name=name, daemon=True)
        self._thread.start()

    def start(self, work: Work) -> None:
        """See `Instance.start`."""
        self._mailbox.put(work)

    def give_up(self) -> None:
        """See `Instance.give_up`."""
        self._mailbox.put(None)
        self._on_given_up(self)

    def end(self) -> None:
        """Returns when the work that was handed over is done."""
        self._mailbox.put(None)
        self._thread.join()

    def _drive(self) -> None:
        """Nothing that an item does may end this."""
        while (work := self._mailbox.get()) is not None:
            outcomes = (self._prepare if work.kind == "prepare" else self._run)(work.items)
            prepared = [item for item, outcome in zip(work.items, outcomes, strict=True) if outcome is None]
            if not self._dispatcher.finish(self._lane, self, prepared):
                return
            for item, outcome in zip(work.items, outcomes, strict=True):
                if outcome is not None:
                    item.answer(outcome)

    def _prepare(self, items: Sequence[Item]) -> list[TundishError | None]:
        """Pre-processes items; the error of each that cannot be."""
        return [self._error_of_preparing(item) for item in items]

    def _error_of_preparing(self, item: Item) -> TundishError | None:
        prepared = prepare_item(self._entries[item.entry], item.payload)
        if isinstance(prepared, TundishError):
            return prepared
        item.prepared, item.length = prepared, prepared.length
        return None

    def _run(self, items: Sequence[Item]) -> list[Answer[Any] | TundishError | None]:
        """What becomes of each item of a batch."""
        started = self._clock()
        outcomes: list[Any] = [self._error_of_preparing(item) if item.prepared is None else None for item in items]
        good = [item for item, error in zip(items, outcomes, strict=True) if error is None]
        answers = iter(self._answers(good, started) if good else ())
        return [next(answers) if outcome is None else outcome for outcome in outcomes]

    def _answers(self, items: Sequence[Item], started: float) -> list[Answer[Any] | TundishError]:
        """Of prepared items."""
        try:
            outcomes = self._entries[items[0].entry].run([item.prepared for item in items])
        except Exception as error:
            return [answerable(error)] * len(items)
        return [
            outcome
            if isinstance(outcome, TundishError)
            else with_queue_time(outcome, round((started - item.arrived) * 1e9))
            for item, outcome in zip(items, outcomes, strict=True)
        ]
