"""Samples that cannot be used: a few are left out with a warning, many are an error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tundish_exporters.errors import DataError

MOST_LEFT_OUT = 0.05
"""The share of samples that may be left out, rounded up to whole ones: that many break on the way to a disk. More are
a sign that the data are not what they were taken for, and those that are left are not what the model will see."""
_SHOWN = 5
_LONGEST_REASON = 200
"""Characters of one reason."""


class SampleError(Exception):
    """A sample cannot be used; says why, without its name and without a full stop."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A sample that cannot be used."""

    name: str
    """The file, or the line or row of the table."""
    reason: str

    def __str__(self) -> str:
        """For a list of them."""
        reason = " ".join(self.reason.split())
        shown = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]} …"
        return f"{self.name} {shown}"


def left_out(path: Path, faults: Sequence[Fault], count: int) -> tuple[str, ...]:
    """A warning that names what is left out of `count` samples; none if nothing is.

    Raises:
        DataError: those are more than may be left out, or all.
    """
    if not faults:
        return ()
    in_order = sorted(faults, key=lambda fault: (len(fault.name), fault.name))  # line 9 before line 10
    listed = "; ".join(map(str, in_order[:_SHOWN]))
    more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    of_all = f"{len(faults)} of {count} samples of {path} cannot be used"
    if len(faults) > math.ceil(MOST_LEFT_OUT * count) or len(faults) == count:
        raise DataError(
            f"{of_all}, and at most {MOST_LEFT_OUT:.0%} may be left out; mend or remove them: {listed}{more}."
        )
    return (f"{of_all} and {'was' if len(faults) == 1 else 'were'} left out: {listed}{more}.",)
