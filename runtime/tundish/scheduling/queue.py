"""The queue of a model: who waits, in which order, who is let go of, and who is refused.

The rules, in full:

1. Order. Items wait in the order of their arrival. A priority below the highest counts as having arrived later, by
   `SECONDS_PER_PRIORITY` a level: so an urgent item goes first, and no item is ever overtaken by one that came more
   than that after it. The first in this order is in the next batch, always.
2. Greed. Whoever asks for work gets at once what waits, up to the batching's limits (see `Batching.choose`). Of several
   who can work at a time each gets its part: else one has all, and the others nothing to do until it is answered.
3. Delay. With a `max_queue_delay_microseconds` above 0, an incomplete batch waits for more, until its first item has
   waited that long.
4. Length. Where items have lengths, whoever asks first gets those to prepare whose length is not yet known; a batch
   is made of prepared items alone. While items arrive faster than they can be prepared, batches are made of a full
   window.
5. Dropping. An item whose caller has cancelled, or whose deadline has passed, is dropped whatever happens next, also
   between preparation and batch. It is never run, takes no room and is ahead of nobody.
6. Refusal. A full queue refuses new items at once. So does one whose items ahead will take longer than the new item's
   deadline leaves: run late, it would only take time from those behind it. Whether there is room can be asked before
   the items are there, at no cost that grows with the queue: of an overloaded server, most requests are refused.
   What belongs to a request that is under way, as the next step of a composed model, is never refused so.
7. Stopping. A closed queue refuses all, gives out what it has, and holds nothing back.
8. Sequences. An item of a sequence takes its place in the order when its turn in the sequence has come: see
   `Sequences`. Until then it is in no batch, so that a batch has no two items of one sequence.

Nothing here waits, locks or reads a clock: see `Dispatcher`.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence

from tundish.errors import DeadlineExceededError, QueueFullError, TundishError
from tundish.scheduling.batching import Batching
from tundish.scheduling.item import Item, Work
from tundish.scheduling.sequences import Sequences

PRIORITIES = 3
"""Priorities go from 1, which goes first, to this."""

DEFAULT_PRIORITY = 2

SECONDS_PER_PRIORITY = 1.0
"""By how much later an item counts as having arrived, for each level of priority below the highest."""


_CAUTION = 1.5
"""How much longer than its mean the work ahead of an item is taken to last; a queue that is refilled in time stays busy
all the same, and what is run too late is run for nothing."""


class ItemQueue:
    """The items of one model that wait. Not for several threads at a time."""

    def __init__(self, batching: Batching) -> None:
        self.batching = batching
        self.closed: TundishError | None = None
        """What new items are refused with, once it is set."""
        self.sequences = Sequences(batching.max_sequences, batching.sequence_idle_seconds)
        self._waiting: list[Item] = []
        self._refused: list[tuple[Item, TundishError]] = []
        self._numbers = itertools.count()
        self._next_deadline = math.inf
        """No item that waits has an earlier one."""
        self._may_be_abandoned = False
        """Whether the caller of an item may have gone since the queue last looked."""

    def __len__(self) -> int:
        return len(self._waiting) + self.sequences.following

    def may_hold_dead(self, now: float) -> bool:
        """Whether there may be something to let go of; if not, no item has to be looked at to know."""
        return self._may_be_abandoned or now >= self._next_deadline

    def let_go(self, now: float) -> None:
        """Drops what is dead by rule 5."""
        while self.may_hold_dead(now):
            self._may_be_abandoned = False  # before the look: callers go at any time
            late = self.sequences.remove_followers(lambda item: _is_dead(item, now))
            dead = [item for item in self._waiting if _is_dead(item, now)]
            self._remove(dead)
            error = DeadlineExceededError("The deadline passed in the queue; the work was not run.")
            self._refused += [(item, error) for item in (*late, *dead)]
            self._next_deadline = min(map(_deadline, (*self._waiting, *self.sequences.followers())), default=math.inf)
            self.end_turns(dead, now, ran=False)

    def check_room(
        self,
        count: int,
        now: float,
        *,
        deadline: float | None,
        priority: int,
        seconds_per_item: float,
        seconds_ahead: float,
    ) -> None:
        """Holds a request against rule 6; what is dead must have been let go of.

        Args:
            count: Of its items.
            now: On the dispatcher's clock.
            deadline: Of the items; one that has passed is no reason to refuse them, since they are told that.
            priority: Of the items.
            seconds_per_item: What the model takes to answer one, all its instances together.
            seconds_ahead: What it still needs for what it has begun.

        Raises:
            QueueFullError: they do not fit, or those ahead will take too long; a request that nothing is ahead of
                never waits too long.
            TundishError: the queue is closed; that which it was closed with.
        """
        self._check_open()
        limit = self.batching.max_queue_size
        if len(self) + count > limit:
            raise QueueFullError(
                f"The queue holds {len(self)} of at most {limit} items, {count} more do not fit; try again later.",
                retry_after_seconds=seconds_per_item * limit / 2,
            )
        if deadline is None or now >= deadline:
            return
        ahead = bisect.bisect(self._waiting, (_standing(now, priority), math.inf), key=_order)
        expected = _CAUTION * (ahead * seconds_per_item + seconds_ahead)
        if ahead and now + expected > deadline:
            raise QueueFullError(
                f"{ahead} items are ahead in the queue, which will take about {expected * 1e3:.0f} ms, and the "
                f"deadline leaves {(deadline - now) * 1e3:.0f} ms; try again later.",
                retry_after_seconds=expected / 2,
            )

    def put(self, items: Sequence[Item], now: float) -> None:
        """Accepts all of the items or none; whether there is room for them is not looked at again.

        Raises:
            QueueFullError: there are too many sequences.
            InvalidInputError: an item's sequence is not there.
            TundishError: the queue is closed; that which it was closed with.
        """
        self._check_open()
        for item in items:
            item.arrived = now
            item.order = (_standing(now, item.priority), next(self._numbers))
            if item.step is None or self.sequences.arrive(item, item.step, now):
                self._insert(item)
            else:
                self._note(item)

    def put_back(self, items: Sequence[Item]) -> None:
        """Takes prepared items back, each to its place."""
        for item in items:
            self._insert(item)

    def end_turns(self, items: Sequence[Item], now: float, *, ran: bool) -> None:
        """Of items that were taken out and will not be put back, whose turns in their sequences are over."""
        for item in items:
            if item.step is None:
                continue
            follower, refused = self.sequences.leave(item, item.step, now, ran=ran)
            if follower is not None:
                self._insert(follower)
            self._refused += [(lost, self.sequences.unknown(lost.step)) for lost in refused if lost.step is not None]

    def seconds_until_ready(self, now: float) -> float | None:
        """How long until there is work to take: 0 if there is some; None if nothing waits.

        What is dead must have been let go of.
        """
        if not self._waiting:
            return None
        delay = 0.0 if self.closed else self.batching.max_queue_delay_microseconds * 1e-6
        if not delay:
            return 0.0
        candidates = self._waiting[: self.batching.window]
        if self._unprepared(candidates) or self.batching.is_complete(candidates):
            return 0.0
        return max(0.0, candidates[0].arrived + delay - now)

    def take(self, now: float, at_once: int = 1) -> Work | None:
        """The next work, if any waits, whether or not rule 3 would hold it back; for one of so many who can work.

        What is dead must have been let go of; callers that have gone since are noticed.
        """
        while candidates := self._waiting[: self.batching.window]:
            if unprepared := self._unprepared(candidates):
                self._remove(unprepared)
                return Work("prepare", unprepared)
            most = -(-len(self._waiting) // at_once) if self.batching.is_greedy else None
            batch = self.batching.choose(candidates, most)
            self._remove(batch)
            begun: list[Item] = []
            gone: list[Item] = []
            for item in batch:
                (begun if item.begin() else gone).append(item)
            self.end_turns(gone, now, ran=False)
            if begun:
                return Work("run", begun)
        return None

    def empty(self) -> list[Item]:
        """Takes all items out, for who will refuse them."""
        items = self._waiting + self.sequences.clear()
        self._waiting = []
        return items

    def pop_refused(self) -> list[tuple[Item, TundishError]]:
        """The items that were accepted and will not be run, each with its error, once, for who will answer them."""
        refused, self._refused = self._refused, []
        return refused

    def _check_open(self) -> None:
        if self.closed:
            raise type(self.closed)(*self.closed.args)  # anew, since an error keeps where it was raised

    def _insert(self, item: Item) -> None:
        bisect.insort(self._waiting, item, key=_order)
        self._note(item)

    def _note(self, item: Item) -> None:
        """Of an item that waits from now on: when it may be dead."""
        self._next_deadline = min(self._next_deadline, _deadline(item))
        item.future.on_abandoned = self._note_abandoned
        if item.abandoned:  # before it could be noted
            self._note_abandoned()

    def _note_abandoned(self) -> None:
        """Called on any thread."""
        self._may_be_abandoned = True

    def _unprepared(self, candidates: Sequence[Item]) -> list[Item]:
        if not self.batching.by_length:
            return []
        return [item for item in candidates if item.entry == "pipeline" and item.prepared is None]

    def _remove(self, items: Sequence[Item]) -> None:
        """They are mostly at the head, so that nothing behind the last of them is looked at: the queue may be long."""
        left = set(map(id, items))
        kept: list[Item] = []
        seen = 0
        while left:
            item = self._waiting[seen]
            seen += 1
            if id(item) in left:
                left.remove(id(item))
            else:
                kept.append(item)
        self._waiting[:seen] = kept


def _is_dead(item: Item, now: float) -> bool:
    return item.abandoned or now >= _deadline(item)


def _deadline(item: Item) -> float:
    return math.inf if item.deadline is None else item.deadline


def _standing(arrived: float, priority: int) -> float:
    """When an item counts as having arrived."""
    return arrived + (priority - 1) * SECONDS_PER_PRIORITY


def _order(item: Item) -> tuple[float, int]:
    return item.order
