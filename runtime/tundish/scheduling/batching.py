"""The rule by which waiting items become a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tundish.scheduling.item import Item

MAX_PADDING = 0.1
"""The most of a batch that may be padding, where lengths differ: what an engine computes for nothing."""

MAX_SEQUENCES = 1024
SEQUENCE_IDLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How a model's items are queued and batched."""

    max_batch_size: int
    preferred_batch_sizes: Sequence[int] = ()
    """A batch is cut to the largest of them that is waiting; fewer items than the smallest run as they are."""
    max_queue_delay_microseconds: int = 0
    """How long an idle instance may hold an incomplete batch back."""
    max_queue_size: int = 256
    max_sequences: int = MAX_SEQUENCES
    """How many sequences a stateful model keeps the state of."""
    sequence_idle_seconds: float = SEQUENCE_IDLE_SECONDS
    """After which a sequence that no item comes for is forgotten."""
    by_length: bool = False
    """Items are as long as their texts: they are prepared before they are batched, and those alike share a batch."""
    max_batch_tokens: int | None = None
    """The most tokens of a batch, padding included, where items have lengths; a longer item runs alone."""

    @property
    def window(self) -> int:
        """How many items at the head of the queue a batch is chosen from."""
        return 8 * self.max_batch_size if self.by_length else self.max_batch_size

    @property
    def is_greedy(self) -> bool:
        """Whether a batch is what waits, and not what was asked for."""
        return not (self.max_queue_delay_microseconds or self.preferred_batch_sizes)

    def choose(self, candidates: Sequence[Item], most: int | None = None) -> list[Item]:
        """The next batch, of `most` items at most, out of those at the head of the queue, whose first is always in it.

        Without lengths a batch ends before the first item that does not mix with its own, so that none is overtaken.
        With lengths it takes those that are nearest to the first in length, and nothing that would make more than
        `MAX_PADDING` of it padding.
        """
        head = candidates[0]
        batch = self._alike(head, candidates[1:]) if self.by_length else _run_of(head, candidates)
        size = min(len(batch), self.max_batch_size)
        return batch[: self._preferred(size if most is None else min(size, most))]

    def is_complete(self, candidates: Sequence[Item]) -> bool:
        """Whether waiting for more items would not make the next batch better."""
        size = len(self.choose(candidates))
        # A batch that an item of another kind has ended can grow no more; one by length always can.
        ended = not self.by_length and size < len(candidates)
        return ended or size == self.max_batch_size or size in self.preferred_batch_sizes

    def _preferred(self, size: int) -> int:
        return max((preferred for preferred in self.preferred_batch_sizes if preferred <= size), default=size)

    def _alike(self, head: Item, others: Sequence[Item]) -> list[Item]:
        """The first item and the nearest to it in length, nearest first."""
        batch, longest, total = [head], head.length, head.length
        mixing = (item for item in others if item.mixes_with(head))
        for item in sorted(mixing, key=lambda item: abs(item.length - head.length)):
            padded = max(longest, item.length) * (len(batch) + 1)
            wasted = padded - total - item.length
            too_many = self.max_batch_tokens is not None and padded > self.max_batch_tokens
            if len(batch) == self.max_batch_size or too_many or wasted > MAX_PADDING * padded:
                continue
            batch.append(item)
            longest, total = max(longest, item.length), total + item.length
        return batch


def _run_of(head: Item, candidates: Sequence[Item]) -> list[Item]:
    batch = []
    for item in candidates:
        if not item.mixes_with(head):
            break
        batch.append(item)
    return batch
