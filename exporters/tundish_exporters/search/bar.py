"""The progress of a search: the time that is spent, the best so far, and what is being done."""

from __future__ import annotations

from tundish_exporters.progress import Progress
from tundish_exporters.search.budget import Budget


class SearchBar:
    """A `Progress` for all that a search calls; it becomes one bar."""

    def __init__(self, progress: Progress, budget: Budget) -> None:
        self._progress = progress
        self._budget = budget
        self.best = ""
        """What is the best so far, for people."""
        self.trial = ""
        """What is being tried."""

    def __call__(self, description: str, done: int, total: int, note: str = "", /) -> None:  # noqa: ARG002
        """Of a step of a trial."""
        self._show(f"{self.trial}, {description}")

    def finish(self) -> None:
        """The bar is full, also if there was nothing left to try."""
        total = round(self._budget.seconds)
        self._progress("search", total, total, self.best)

    def _show(self, now: str) -> None:
        total = round(self._budget.seconds)
        done = min(total, round(self._budget.spent_seconds))
        self._progress("search", done, total, f"{self.best}; now {now}" if self.best else f"now {now}")
