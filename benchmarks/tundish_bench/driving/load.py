"""How a server is loaded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SEED = 0


@dataclass(frozen=True, slots=True)
class Closed:
    """Callers that each ask again when they are answered: as many requests under way as there are callers, always."""

    callers: int

    @property
    def name(self) -> str:
        """For people, and of the row."""
        return f"{self.callers} {'caller' if self.callers == 1 else 'callers'}"

    @property
    def settings(self) -> dict[str, str | int | float]:
        """Of the row."""
        return {"callers": self.callers}


@dataclass(frozen=True, slots=True)
class Open:
    """Requests that come whether or not the server keeps up, as cameras and users make them."""

    per_second: float
    is_poisson: bool = True
    """Whether each comes independently of the others; otherwise all are equally far apart."""

    @property
    def name(self) -> str:
        """For people, and of the row."""
        return f"{self.per_second:g}/s{'' if self.is_poisson else ' evenly'}"

    @property
    def settings(self) -> dict[str, str | int | float]:
        """Of the row."""
        return {"rate": self.per_second}

    def due(self, block: int, seconds: float) -> NDArray[np.float64]:
        """The moments at which the requests of a block of so many seconds are due, ascending, from the load's start.

        Every block has as many as belong to it, so that the rate that is offered is the one that was asked for: a
        Poisson process, given how many came, has them independent and uniform. Always the same ones.
        """
        first, end = (math.floor(self.per_second * seconds * number) for number in (block, block + 1))
        if not self.is_poisson:
            return np.arange(first, end) / self.per_second
        return seconds * (block + np.sort(np.random.default_rng([_SEED, block]).uniform(size=end - first)))


Load = Closed | Open
