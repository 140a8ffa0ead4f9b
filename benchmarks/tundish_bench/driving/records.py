"""What became of requests, as columns: they come by the thousand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Records:
    """Requests in the order in which they ended; all times in seconds of this machine's monotonic clock."""

    due: Times
    """When each was to be sent: a closed loop's, when its caller was free; latency counts from here."""
    sent: Times
    """When it was sent: later, if the generator or all that it keeps under way held it up."""
    ended: Times
    """When its answer or error had come; of one that had not, when it was waited for no longer."""
    answered: NDArray[np.bool_]
    was_given_up: NDArray[np.bool_]
    """Whether the load had ended, and the answer was waited for no longer."""
    errors: Counter[str] = field(default_factory=Counter)
    """How often each error came, in its words."""

    def __len__(self) -> int:
        return len(self.due)

    @property
    def latencies(self) -> Times:
        """Seconds from when each was due to its end."""
        return self.ended - self.due

    def between(self, begin: float, end: float, *, of: Times) -> Records:
        """Those whose time `of` (one of this object's columns) lies in [begin, end); the errors are all."""
        chosen = (of >= begin) & (of < end)
        return Records(
            self.due[chosen],
            self.sent[chosen],
            self.ended[chosen],
            self.answered[chosen],
            self.was_given_up[chosen],
            self.errors,
        )


def joined(parts: Iterable[Records]) -> Records:
    """All of them, one after the other."""
    several = list(parts) or [empty()]
    errors: Counter[str] = Counter()
    for part in several:
        errors.update(part.errors)
    return Records(
        np.concatenate([part.due for part in several]),
        np.concatenate([part.sent for part in several]),
        np.concatenate([part.ended for part in several]),
        np.concatenate([part.answered for part in several]),
        np.concatenate([part.was_given_up for part in several]),
        errors,
    )


def empty() -> Records:
    """None yet."""
    none, never = np.empty(0), np.empty(0, np.bool_)
    return Records(none, none, none, never, never)
