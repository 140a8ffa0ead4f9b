"""The history of figures: a small plot for each row and figure, run after run, with the changes of machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from matplotlib.axes import Axes

from tundish_bench.reports.charts.style import BAD, GOOD, SOFT, Chart, Surface, plain_ticks
from tundish_bench.reports.compare import Comparison
from tundish_bench.reports.history import Point, machine_of, points_of, since_before
from tundish_bench.reports.model import Figure, Interval, Report
from tundish_bench.reports.wording import DIRECTIONS, shortened

_COLUMNS = 3
_MOST = 30
"""Small plots that one plot has; those of figures that have become worse come first."""
_A_PANEL, _AROUND = 1.55, 0.75
"""Inches."""
_LONGEST_NAME = 34


class _Panel(NamedTuple):
    row: str
    figure: Figure
    points: list[Point]
    has_regressed: bool


def history_chart(reports: Sequence[Report], figures: Sequence[str]) -> Chart:
    """Of the reports of one benchmark, those of the figures that say most."""
    comparison = since_before(reports)
    panels = _panels(reports, figures, comparison)
    shown = panels[:_MOST]
    rows = max(1, math.ceil(len(shown) / _COLUMNS))

    def paint(surface: Surface) -> None:
        grid = surface.subplots(rows, _COLUMNS, squeeze=False)
        for axes, panel in zip(grid.flat, shown, strict=False):
            _paint_panel(axes, panel, reports)
        for axes in grid.flat[len(shown) :]:
            axes.set_axis_off()
        if len(panels) > len(shown):
            surface.supxlabel(f"{len(panels) - len(shown)} more are not drawn", fontsize=8, color=SOFT)

    return Chart(
        title=_title(reports, comparison), subtitle=reports[-1].title, height=_AROUND + _A_PANEL * rows, paint=paint
    )


def _panels(reports: Sequence[Report], figures: Sequence[str], comparison: Comparison | None) -> list[_Panel]:
    worse = {(each.row, each.figure) for each in comparison.regressions} if comparison else set()
    panels = [
        _Panel(row.name, found, points_of(reports, row.name, name), (row.name, name) in worse)
        for name in figures
        for row in reports[-1].rows
        if (found := row.figure(name)) is not None
    ]
    return sorted(panels, key=lambda panel: not panel.has_regressed)


def _title(reports: Sequence[Report], comparison: Comparison | None) -> str:
    kind = reports[-1].kind
    if comparison is None:
        return f"{kind}: {reports[-1].created:%Y-%m-%d} is the first run on this machine"
    improved = sum(each.verdict == "improved" for each in comparison.changes)
    worse = len(comparison.regressions)
    if not worse and not improved:
        return f"{kind}: nothing is proven to have changed since the run before"
    return f"{kind}: since the run before {worse} figures are proven to be worse, {improved} to be better"


def _paint_panel(axes: Axes, panel: _Panel, reports: Sequence[Report]) -> None:
    color = BAD if panel.has_regressed else GOOD
    for part in _unbroken(panel.points):
        runs = [point.run for point in part]
        ends = [point.figure.interval or Interval(point.figure.value, point.figure.value) for point in part]
        axes.fill_between(
            runs, [end.low for end in ends], [end.high for end in ends], color=color, alpha=0.2, linewidth=0
        )
        axes.errorbar(
            runs, [point.figure.value for point in part],
            yerr=[[point.figure.value - end.low for point, end in zip(part, ends, strict=True)],
                  [end.high - point.figure.value for point, end in zip(part, ends, strict=True)]],
            color=color, marker="o", markersize=3, linewidth=1.2, elinewidth=0.9,
        )  # fmt: skip
    for run, (one, other) in enumerate(pairwise(reports)):
        if machine_of(one.machine) != machine_of(other.machine):
            axes.axvline(run + 0.5, color=SOFT, linestyle=(0, (2, 2)), linewidth=1)
            axes.annotate("other machine", (run + 0.5, 0.02), xycoords=("data", "axes fraction"), xytext=(2, 0),
                          textcoords="offset points", fontsize=6, color=SOFT)  # fmt: skip
    _dress(axes, panel, reports)


def _dress(axes: Axes, panel: _Panel, reports: Sequence[Report]) -> None:
    figure = panel.figure
    direction = DIRECTIONS[figure.better]
    axes.set_title(
        f"{shortened(panel.row, _LONGEST_NAME)}\n{figure.name}, {figure.unit}{f' ({direction})' if direction else ''}",
        loc="left", fontsize=7.5,
    )  # fmt: skip
    axes.set_xlim(-0.5, len(reports) - 0.5)
    _give_room(axes, panel.points)
    dated = sorted({0, (len(reports) - 1) // 2, len(reports) - 1})
    axes.set_xticks(dated, [f"{reports[run].created:%y-%m-%d}" for run in dated])
    axes.tick_params(length=0, labelsize=7)
    plain_ticks(axes.yaxis)


def _give_room(axes: Axes, points: Sequence[Point]) -> None:
    """At least a tenth of the value up and down: what changes by a hundredth shall not look like a fall."""
    values = [point.figure.value for point in points]
    ends = [end for point in points for end in (point.figure.interval or ())]
    least = min([*ends, *(0.9 * value for value in values)])
    if min(values) >= 0:
        least = max(least, 0.0)  # an interval of few repeats may reach below, the quantity does not
    most = max([*ends, *(1.1 * value for value in values)])
    if most > least:
        axes.set_ylim(least - 0.05 * (most - least), most + 0.05 * (most - least))


def _unbroken(points: Sequence[Point]) -> list[list[Point]]:
    """Parts that one machine measured in a row."""
    parts: list[list[Point]] = []
    for point in points:
        if parts and parts[-1][-1].machine == point.machine:
            parts[-1].append(point)
        else:
            parts.append([point])
    return parts
