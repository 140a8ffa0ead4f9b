"""A report: rows of figures, each measured several times, and what must be known to believe them.

It is written as JSON and read again by comparisons, plots and the history; every benchmark makes one.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from scipy.special import stdtrit

from tundish import __version__
from tundish.placement.machine import Machine, this_machine
from tundish_bench.errors import BenchmarkError

Better = Literal["more", "less"]

_CONFIDENCE = 0.95


class Interval(NamedTuple):
    """Between which values the true one lies, with a confidence of 95 %."""

    low: float
    high: float


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Frozen):
    """One quantity of a row."""

    name: str
    """As its column shows it: 'throughput', 'p99', 'CPU'."""
    unit: str
    """'/s', 'ms', 'MB', '%', 'x' for a ratio."""
    better: Better | None = None
    """None where neither is: a temperature, a count of requests."""
    repeats: tuple[float, ...] = Field(min_length=1)
    """One value of each repeat, in their order."""

    @property
    def value(self) -> float:
        """The mean of the repeats; of ratios the geometric one, so that a ratio and its inverse tell the same."""
        return math.exp(fmean(map(math.log, self.repeats))) if self._is_ratio else fmean(self.repeats)

    @property
    def median(self) -> float:
        """The middle of the repeats."""
        return median(self.repeats)

    @property
    def interval(self) -> Interval | None:
        """Of the value, by Student's t over the repeats, of ratios over their logarithms; None of one repeat.

        A repeat lasts long enough that the repeats are nearly independent; requests one after the other are not.
        """
        values = [math.log(each) for each in self.repeats] if self._is_ratio else self.repeats
        if len(values) < 2:
            return None
        half = float(stdtrit(len(values) - 1, (1 + _CONFIDENCE) / 2)) * stdev(values) / math.sqrt(len(values))
        low, high = fmean(values) - half, fmean(values) + half
        return Interval(math.exp(low), math.exp(high)) if self._is_ratio else Interval(low, high)

    @property
    def _is_ratio(self) -> bool:
        return self.unit == "x" and min(self.repeats) > 0


class Row(_Frozen):
    """One thing that was measured: a load on a server, an engine, an operator."""

    name: str
    """Unlike that of any other row of the report; comparisons and the history find a row again by it."""
    settings: dict[str, str | int | float] = {}
    """What it was measured with that other rows have otherwise: {'callers': 16, 'batch': 1}; the axes of a sweep."""
    figures: tuple[Figure, ...]
    histogram: str | None = None
    """Of all repeats' latencies in microseconds: an HDR histogram in its own compressed form, version 2, base64."""
    notes: tuple[str, ...] = ()
    """Sentences that a reader must know to believe the row: 'The server is saturated: …'."""

    def figure(self, name: str) -> Figure | None:
        """The figure of this name, if the row has it."""
        return next((each for each in self.figures if each.name == name), None)


class Report(_Frozen):
    """What a benchmark measured, on what machine, how."""

    format: Literal[1] = 1
    kind: str
    """Which benchmark: 'load', 'sweep', 'engines', 'kernels', 'peers'."""
    title: str
    """For people: what was measured, on what."""
    method: str
    """For people: how, in a few sentences, with the settings that all rows share."""
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    version: str = __version__
    """Of tundish."""
    machine: Machine = Field(default_factory=this_machine)
    rows: tuple[Row, ...] = Field(min_length=1)
    notes: tuple[str, ...] = ()
    """Sentences about all of it: 'Other work took up to 0.4 cores; …'."""
    knee: str | None = None
    """Of a sweep: the row beyond which more load brings more waiting and hardly more throughput."""
    slo_milliseconds: float | None = None
    """The longest that 99 % of the answers may take, where that was asked about."""
    highest: tuple[str, ...] = ()
    """Where that was asked about: the rows of the highest rates that keep it, one at most for each setting."""

    @model_validator(mode="after")
    def _tells_rows_apart(self) -> Report:
        names = [row.name for row in self.rows]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rows are named '{twice[0]}'")
        return self

    def row(self, name: str) -> Row | None:
        """The row of this name, if the report has it."""
        return next((each for each in self.rows if each.name == name), None)


def read_report(path: Path) -> Report:
    """Reads what a benchmark wrote.

    Raises:
        BenchmarkError: the file cannot be read, or is no report.
    """
    try:
        return Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise BenchmarkError(
            f"{path} is no report of a benchmark: {place}: {first['msg']}; give a file that --json wrote."
        ) from None
