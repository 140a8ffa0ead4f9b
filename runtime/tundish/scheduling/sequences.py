"""The sequences of a stateful model: whose turn it is in each, and the state that its next item begins with.

The rules, in full:

1. Turns. The items of a sequence have their turns in the order of their arrival, whatever their priorities: the next
   one's begins when the last one's has ended, by an answer, an error, a cancellation, or a deadline that has passed.
2. State. An item begins with the state that the one before it left; one with `start` begins anew. What it leaves
   counts only if it ran and its caller still waits: otherwise the sequence stays as it was before that item, as if it
   had never come.
3. End. With an item with `end` that counts, or once no item has come for the idle time, the sequence is forgotten.
4. Refusal. An item without `start` of a sequence that is not there is refused, on its arrival or when its turn comes;
   so is a new sequence when there are as many as there may be.

Nothing here waits, locks or reads a clock: see `Dispatcher`.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tundish.errors import InvalidInputError, QueueFullError
from tundish.scheduling.item import Item, Step


@dataclass(slots=True)
class _Sequence:
    state: object = None
    """What the next item begins with; None before the first that counts."""
    turn: Item | None = None
    """Whose turn it is."""
    followers: deque[Item] = field(default_factory=deque)


class Sequences:
    """Those of one model. Not for several threads at a time."""

    def __init__(self, limit: int, idle_seconds: float) -> None:
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._sequences: dict[int | str, _Sequence] = {}
        self._idle: dict[int | str, float] = {}
        """Since when the sequences without items are idle, the longest first."""
        self.following = 0
        """How many items wait for their turn."""

    def __len__(self) -> int:
        return len(self._sequences)

    @property
    def next_expiry(self) -> float | None:
        """When the next idle sequence is to be forgotten."""
        since = next(iter(self._idle.values()), None)
        return None if since is None else since + self._idle_seconds

    def arrive(self, item: Item, step: Step, now: float) -> bool:
        """Takes an item in; whether its turn has begun. If not, `leave` gives it out when it has.

        Raises:
            InvalidInputError: there is no such sequence, and the item does not start one.
            QueueFullError: it would start one more than there may be.
        """
        self.expire(now)
        sequence = self._sequences.get(step.sequence)
        if sequence is None:
            if not step.start:
                raise self.unknown(step)
            if len(self._sequences) >= self._limit:
                raise QueueFullError(
                    f"There are {self._limit} sequences, as many as there may be; end one, or try again later.",
                    retry_after_seconds=self._idle_seconds if self.next_expiry is None else self.next_expiry - now,
                )
            sequence = self._sequences[step.sequence] = _Sequence()
        self._idle.pop(step.sequence, None)
        if sequence.turn is not None:
            sequence.followers.append(item)
            self.following += 1
            return False
        _begin(sequence, item, step)
        return True

    def leave(self, item: Item, step: Step, now: float, *, ran: bool) -> tuple[Item | None, list[Item]]:
        """The item's turn has ended. Returns whose turn it is now, if anyone's, and the followers that are refused."""
        sequence = self._sequences[step.sequence]
        assert sequence.turn is item, "a turn ends once"
        sequence.turn = None
        if ran and step.state_after is not None and not item.abandoned:
            sequence.state = None if step.end else step.state_after
        refused: list[Item] = []
        while sequence.followers:
            follower = sequence.followers.popleft()
            self.following -= 1
            assert follower.step is not None
            if sequence.state is not None or follower.step.start:
                _begin(sequence, follower, follower.step)
                return follower, refused
            refused.append(follower)
        if sequence.state is None:
            del self._sequences[step.sequence]
        else:
            self._idle[step.sequence] = now
        return None, refused

    def followers(self) -> Iterator[Item]:
        """The items that wait for their turn."""
        return itertools.chain.from_iterable(sequence.followers for sequence in self._sequences.values())

    def remove_followers(self, unwanted: Callable[[Item], bool]) -> list[Item]:
        """Takes out those of the items that wait for their turn."""
        removed: list[Item] = []
        for sequence in self._sequences.values():
            followers, sequence.followers = sequence.followers, deque()
            for item in followers:  # each is asked about once: another thread may cancel it at any time
                (removed if unwanted(item) else sequence.followers).append(item)
        self.following -= len(removed)
        return removed

    def clear(self) -> list[Item]:
        """Forgets every sequence, and takes out the items that wait for their turn."""
        removed = self.remove_followers(lambda _: True)
        self._sequences.clear()
        self._idle.clear()
        return removed

    def expire(self, now: float) -> None:
        """Forgets the sequences that have been idle for too long."""
        while (due := self.next_expiry) is not None and due <= now:
            name = next(iter(self._idle))
            del self._idle[name], self._sequences[name]

    def unknown(self, step: Step) -> InvalidInputError:
        """The error of an item whose sequence is not there."""
        return InvalidInputError(
            f"There is no sequence {step.sequence!r}; begin it with sequence_start. "
            f"One that is idle for {self._idle_seconds:g} seconds has ended."
        )


def _begin(sequence: _Sequence, item: Item, step: Step) -> None:
    sequence.turn = item
    step.state = None if step.start else sequence.state
