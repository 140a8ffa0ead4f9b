"""How far a measurement is, on standard error: a bar in a terminal, a line for each load elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tundish_bench.driving.measuring import OnProgress

_DRAWN_A_SECOND = 2
"""Drawing is work on the machine that is measured."""


class LoadBar:
    """One bar for all loads."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task = bars.add_task("starting", total=None)
        self._expected = self._begun = 0

    def expect(self, loads: int) -> None:
        """So many loads are to come; a search for a rate may add some."""
        self._expected = loads

    def begin(self, load: str) -> OnProgress:
        """The next load begins; gives what is told of it."""
        self._begun += 1
        done, total = self._begun - 1, max(self._expected, self._begun)
        if self._bars.disable:
            self._bars.console.print(f"{self._begun} of {total}: {load}", markup=False, soft_wrap=True)

        def tell(what: str, share: float) -> None:
            self._bars.update(self._task, description=f"{load}: {what}", completed=done + share, total=total)

        return tell


@contextmanager
def load_bar() -> Iterator[LoadBar]:
    """The bar, until the context is left."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True, highlight=False)
    with Progress(
        *columns,
        console=console,
        transient=True,
        refresh_per_second=_DRAWN_A_SECOND,
        disable=not console.is_terminal,
    ) as bars:
        yield LoadBar(bars)
