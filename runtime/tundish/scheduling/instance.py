"""An instance: a thread with an engine of its own, which does what the dispatcher hands it.

It pre-processes items, runs batches through the entry that their items came in by, and answers their futures; the
caller's thread never computes. It gives way to the threads that take requests in: where there is more work than cores,
these must not wait for their turn, or requests are late before anybody has seen them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any

from tundish.errors import TundishError, answerable
from tundish.pipeline import Answer, Entry, prepare_item, with_queue_time
from tundish.results import StageTimes
from tundish.scheduling.item import EntryName, Item, Work

_NICER = 2
"""Than the thread that starts it: where both always have work, an instance gets two fifths of a core that they share.

The figures: docs/decisions/2026-11-25-scheduler.md.
"""

Entries = Mapping[EntryName, Entry[Any]]


class _Thread(threading.Thread):
    """Tells the threads of instances from others."""


def any_instance_hangs() -> bool:
    """Whether an instance that was given up is still at work; only once all schedulers are closed."""
    return any(isinstance(thread, _Thread) for thread in threading.enumerate())


class InstanceThread:
    """Waits for work and does it, until it is told to end or given up."""

    def __init__(
        self,
        name: str,
        entries: Entries,
        *,
        clock: Callable[[], float],
        pin: Callable[[int | None], None],
        finish: Callable[[InstanceThread, Sequence[Item]], bool],
        on_batch: Callable[[EntryName, StageTimes], None],
        on_given_up: Callable[[InstanceThread], None],
    ) -> None:
        """Starts the thread.

        Args:
            name: Of the thread.
            entries: Of an engine that is this instance's alone.
            clock: The dispatcher's.
            pin: See `Cores.pin`.
            finish: See `Dispatcher.finish`.
            on_batch: Called for each batch that the engine has run.
            on_given_up: Called when the dispatcher gives the instance up.
        """
        self._entries = entries
        self._clock = clock
        self._pin = pin
        self._core: int | None = None
        """That the thread is pinned to."""
        self._finish = finish
        self._on_batch = on_batch
        self._on_given_up = on_given_up
        self._mailbox: SimpleQueue[tuple[Work, int | None] | None] = SimpleQueue()
        # A daemon, since one that hangs would keep the process from ending.
        self._thread = _Thread(target=self._drive, name=name, daemon=True)
        self._thread.start()

    def start(self, work: Work, core: int | None) -> None:
        """See `Instance.start`."""
        self._mailbox.put((work, core))

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
        os.nice(_NICER)  # of this thread alone, on Linux
        while (order := self._mailbox.get()) is not None:
            work, core = order
            if core != self._core:
                self._pin(core)
                self._core = core
            outcomes = (self._prepare if work.kind == "prepare" else self._run)(work.items)
            prepared = [item for item, outcome in zip(work.items, outcomes, strict=True) if outcome is None]
            if not self._finish(self, prepared):
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
        waited = [_nanoseconds_waited(item, started) for item in items]
        outcomes: list[Any] = [self._error_of_preparing(item) if item.prepared is None else None for item in items]
        good = [item for item, error in zip(items, outcomes, strict=True) if error is None]
        answers = iter(self._answers(good) if good else ())
        outcomes = [next(answers) if outcome is None else outcome for outcome in outcomes]
        return [
            with_queue_time(outcome, nanoseconds) if isinstance(outcome, Answer) else outcome
            for outcome, nanoseconds in zip(outcomes, waited, strict=True)
        ]

    def _answers(self, items: Sequence[Item]) -> list[Answer[Any] | TundishError]:
        """Of prepared items."""
        try:
            outcomes = self._entries[items[0].entry].run([item.prepared for item in items])
        except Exception as error:
            return [answerable(error)] * len(items)
        # Those that ran together share their times; a batch with a bad item has run as several.
        ran = {id(outcome.stage_times): outcome.stage_times for outcome in outcomes if isinstance(outcome, Answer)}
        for times in ran.values():
            self._on_batch(items[0].entry, times)
        return outcomes


def _nanoseconds_waited(item: Item, started: float) -> int:
    """Until its batch began; what was done for it meanwhile was no waiting."""
    prepared = 0 if item.prepared is None else item.prepared.nanoseconds
    return max(0, round((started - item.arrived) * 1e9) - prepared)
