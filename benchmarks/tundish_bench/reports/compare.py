"""Two reports of the same benchmark, before and after a change: what is proven to be better or worse.

Each figure of each row with a direction is tested by Welch's t, with one degree of freedom less, over the logarithms of
its repeats; over the values themselves where one is not above zero, as shares of errors are. Many figures are tested at
once, so Holm's method corrects what each test says: where nothing has changed, no more than one comparison in twenty
calls anything changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.special import nctdtrinc, stdtr, stdtrit

from tundish.placement.machine import Machine
from tundish_bench.errors import BenchmarkError
from tundish_bench.reports.model import Better, Figure, Interval, Report

Verdict = Literal["regressed", "improved", "too uncertain to tell", "unchanged"]
"""In the order in which they are shown."""

TOLERANCE = 0.03
"""A change of this share, or of less, is none to act upon."""

_LEVEL = 0.05
"""The share of comparisons that may call something changed though nothing is."""
_CAUTION = 1.0
"""Degrees of freedom less than Welch's, which promise too much far from the middle where spreads are unlike."""
_POWER = 0.8
"""How often a change as large as `detectable` is found."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Change(_Frozen):
    """Of one figure of one row."""

    row: str
    figure: str
    unit: str
    better: Better
    before: float
    after: float
    """The values."""
    in_unit: bool
    """Whether what follows is in the figure's unit, as some repeat was not above zero; else a share of `before`."""
    change: float
    interval: Interval | None
    """Of the change, with a confidence of 95 %, of this figure alone; None if it was measured once on a side."""
    p: float | None
    """How likely a change as large is where there is none, among as many figures (Holm)."""
    detectable: float | None
    """The change that four of five such comparisons would find."""
    verdict: Verdict


class Comparison(_Frozen):
    """All figures with a direction that both reports have, and what else must be known."""

    kind: str
    before: str
    after: str
    """Title, version of tundish and time of each report."""
    tolerance: float
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """Those that are proven; a command that finds one exits with 1."""
        return tuple(each for each in self.changes if each.verdict == "regressed")


class _Test(NamedTuple):
    """Welch's, of one figure."""

    difference: float
    """Of the means; of logarithms, or in the figure's unit."""
    error: float
    """Its standard error."""
    freedom: float
    """A little less than Welch's."""
    p: float
    """Not corrected."""


class _Pair(NamedTuple):
    row: str
    before: Figure
    after: Figure
    better: Better

    @property
    def in_unit(self) -> bool:
        return min(*self.before.repeats, *self.after.repeats) <= 0


def compare(before: Report, after: Report, *, tolerance: float = TOLERANCE) -> Comparison:
    """Holds each figure that has a direction against that of the same name in the row of the same name.

    'regressed' and 'improved' are changes that were measured to be larger than the tolerance, and whose corrected p is
    below 0.05: that there is a change is proven, not that it is so large. 'unchanged' are those whose interval lies
    within the tolerance.

    Raises:
        BenchmarkError: the reports are of two kinds, or have no such figure in common.
    """
    if before.kind != after.kind:
        raise BenchmarkError(
            f"A report of kind '{before.kind}' cannot be compared with one of kind '{after.kind}'; give two of one."
        )
    pairs = list(_pairs(before, after))
    if not pairs:
        raise BenchmarkError("The two reports have no figure in common that says which is better; compare others.")
    tests = [_welch(pair) for pair in pairs]
    corrected = _holm([None if test is None else test.p for test in tests])
    tested = sum(test is not None for test in tests)
    return Comparison(
        kind=after.kind,
        before=_said(before),
        after=_said(after),
        tolerance=tolerance,
        changes=tuple(
            _change(pair, test, p, tested, tolerance) for pair, test, p in zip(pairs, tests, corrected, strict=True)
        ),
        notes=(
            *_unlike_methods(before, after),
            *_unlike_machines(before.machine, after.machine),
            *_unmatched(before, after),
        ),
    )


def _pairs(before: Report, after: Report) -> Iterator[_Pair]:
    for row in before.rows:
        other = after.row(row.name)
        for figure in row.figures if other else ():
            match = other.figure(figure.name) if other else None
            if match is not None and match.unit == figure.unit and figure.better is not None:
                yield _Pair(row.name, figure, match, figure.better)


def _welch(pair: _Pair) -> _Test | None:
    """None where a side was measured once."""
    sides = [np.asarray(each.repeats, np.float64) for each in (pair.before, pair.after)]
    if min(map(len, sides)) < 2:
        return None
    one, other = sides if pair.in_unit else map(np.log, sides)
    shares = [side.var(ddof=1) / len(side) for side in (one, other)]
    difference, error = float(other.mean() - one.mean()), math.sqrt(sum(shares))
    if error == 0:  # as of a count: both sides say the same in every repeat
        return _Test(difference, 0.0, len(one) + len(other) - 2.0, float(difference == 0))
    welch = error**4 / sum(share**2 / (len(side) - 1) for share, side in zip(shares, (one, other), strict=True))
    freedom = max(welch - _CAUTION, min(len(one), len(other)) - 1.0)
    return _Test(difference, error, freedom, 2 * float(stdtr(freedom, -abs(difference) / error)))


def _holm(values: Sequence[float | None]) -> list[float | None]:
    """Each p, corrected for there being so many: the smallest is multiplied by their number, the next by one less."""
    order = sorted((value, index) for index, value in enumerate(values) if value is not None)
    corrected: list[float | None] = [None] * len(values)
    highest = 0.0
    for rank, (value, index) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * value))
        corrected[index] = highest
    return corrected


def _change(pair: _Pair, test: _Test | None, p: float | None, tested: int, tolerance: float) -> Change:
    share = math.expm1 if not pair.in_unit else float
    bound = tolerance * abs(pair.before.value) if pair.in_unit else tolerance
    if test is None or p is None:
        change, interval, detectable = _untested(pair), None, None
    else:
        half = float(stdtrit(test.freedom, 0.975)) * test.error
        change = share(test.difference)
        interval = Interval(share(test.difference - half), share(test.difference + half))
        detectable = _detectable(pair, test, tested, bound)
    return Change(
        row=pair.row,
        figure=pair.before.name,
        unit=pair.before.unit,
        better=pair.better,
        before=pair.before.value,
        after=pair.after.value,
        in_unit=pair.in_unit,
        change=change,
        interval=interval,
        p=p,
        detectable=detectable,
        verdict=_verdict(change, interval, p, bound, pair.better),
    )


def _untested(pair: _Pair) -> float:
    difference = pair.after.value - pair.before.value
    return difference if pair.in_unit else difference / pair.before.value


def _detectable(pair: _Pair, test: _Test, tested: int, bound: float) -> float:
    """What exceeds the level of the first of Holm's steps, and the tolerance, with the power that is wanted."""
    sign = 1 if pair.better == "less" else -1  # of a change for the worse
    critical = float(stdtrit(test.freedom, 1 - _LEVEL / tested / 2))
    beyond_level = float(nctdtrinc(test.freedom, 1 - _POWER, critical)) * test.error
    least = bound if pair.in_unit else sign * math.log1p(sign * bound)
    found = max(beyond_level, least + float(stdtrit(test.freedom, _POWER)) * test.error)
    return found if pair.in_unit else sign * math.expm1(sign * found)


def _verdict(change: float, interval: Interval | None, p: float | None, bound: float, better: Better) -> Verdict:
    if p is not None and p < _LEVEL and abs(change) > bound:
        return "improved" if (change > 0) == (better == "more") else "regressed"
    if interval is not None and -bound <= interval.low and interval.high <= bound:
        return "unchanged"
    return "too uncertain to tell"


def _said(report: Report) -> str:
    return f"{report.title}, tundish {report.version}, {report.created:%Y-%m-%d %H:%M} UTC"


def _unlike_methods(before: Report, after: Report) -> Iterator[str]:
    for what, one, other in (("titles", before.title, after.title), ("methods", before.method, after.method)):
        if one != other:
            yield f"The {what} are not the same, which may be all that changed. Before: {one} After: {other}"


def _unlike_machines(before: Machine, after: Machine) -> Iterator[str]:
    unlike = [
        f"{what}: {one or 'none'} before, {other or 'none'} after"
        for what, one, other in (
            ("processor", before.processor, after.processor),
            ("instructions", " ".join(before.instructions), " ".join(after.instructions)),
            ("cores", before.cores, after.cores),
        )
        if one != other
    ]
    if unlike:
        yield f"The machines are not the same, which may be all that changed ({'; '.join(unlike)})."
    for package in sorted(before.packages.keys() | after.packages.keys()):
        versions = [machine.packages.get(package, "none") for machine in (before, after)]
        if versions[0] != versions[1]:
            yield f"{package} was {versions[0]} before and is {versions[1]} after."


def _unmatched(before: Report, after: Report) -> Iterator[str]:
    names = [
        {(row.name, each.name, each.unit) for row in report.rows for each in row.figures} for report in (before, after)
    ]
    rows = [{row.name for row in report.rows} for report in (before, after)]
    for side, mine, other, other_rows in (
        ("before", names[0], names[1], rows[1]),
        ("after", names[1], names[0], rows[0]),
    ):
        alone = sorted({row for row, _, _ in mine} - other_rows)
        if alone:
            yield f"Only {side}: {', '.join(alone)}."
        figures = sorted(f"{name}, {unit}, of {row}" for row, name, unit in mine - other if row in other_rows)
        if figures:
            yield f"Only {side}: {'; '.join(figures)}."
