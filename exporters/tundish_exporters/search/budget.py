"""How long a search may go on."""

from __future__ import annotations

import time


class Budget:
    """Counts from when it is made."""

    def __init__(self, minutes: float) -> None:
        self._seconds = minutes * 60
        self._started = time.monotonic()

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may begin; what has begun is finished."""
        return self.spent_seconds >= self._seconds

    @property
    def spent_seconds(self) -> float:
        """Since the search began."""
        return time.monotonic() - self._started

    @property
    def seconds(self) -> float:
        """In all."""
        return self._seconds
