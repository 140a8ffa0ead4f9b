"""What became of requests, as columns: they come by the thousand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tundish_bench.driving.outcomes import ANSWERED, DIFFERENT, GIVEN_UP

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
    status: NDArray[np.int16]
    """How it ended, as `outcomes` has it."""
    errors: Counter[str] = field(default_factory=Counter)
    """How often each error came, in its words."""

    def __len__(self) -> int:
        return len(self.due)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Whether an answer came, expected or not."""
        return np.equal(self.status, ANSWERED) | self.differs

    @property
    def differs(self) -> NDArray[np.bool_]:
        """Whether an answer came that was not expected."""
        return np.equal(self.status, DIFFERENT)

    @property
    def was_given_up(self) -> NDArray[np.bool_]:
        """Whether the load had ended, and the answer was waited for no longer."""
        return np.equal(self.status, GIVEN_UP)

    @property
    def latencies(self) -> Times:
        """Seconds from when each was due to its end."""
        return self.ended - self.due

    @property
    def commonest_error(self) -> str:
        """In its words, without a full stop; nothing if there is none."""
        return max(self.errors, key=lambda each: self.errors[each], default="").rstrip(".")

    def between(self, begin: float, end: float, *, of: Times) -> Records:
        """Those whose time `of` (one of this object's columns) lies in [begin, end); the errors are all."""
        return self.chosen((of >= begin) & (of < end))

    def chosen(self, rows: NDArray[np.bool_]) -> Records:
        """Those of which it is true; the errors are all."""
        return Records(self.due[rows], self.sent[rows], self.ended[rows], self.status[rows], self.errors)


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
        np.concatenate([part.status for part in several]),
        errors,
    )


def empty() -> Records:
    """None yet."""
    none = np.empty(0)
    return Records(none, none, none, np.empty(0, np.int16))
