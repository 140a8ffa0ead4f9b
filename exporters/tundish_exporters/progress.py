"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Protocol, TypeVar

ItemT = TypeVar("ItemT", covariant=True)


class Progress(Protocol):
    """Told how far work is."""

    def __call__(self, description: str, done: int, total: int, note: str = "", /) -> None:
        """What is being done, how many steps are done and how many there are, and what else is worth a glance."""
        ...


class SizedIterable(Sized, Iterable[ItemT], Protocol[ItemT]):
    """What can be iterated and counted."""


def silent(description: str, done: int, total: int, note: str = "", /) -> None:
    """The progress of callers that show none."""


def tracked(items: SizedIterable[ItemT], description: str, progress: Progress) -> Iterator[ItemT]:
    """Yields the items and tells of each when it is done."""
    total = len(items)
    progress(description, 0, total)
    for done, item in enumerate(items, 1):
        yield item
        progress(description, done, total)
