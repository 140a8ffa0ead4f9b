"""The plots of a report: each says in its title what is seen, in its axes' names the units and what is better."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from tundish_bench.errors import BenchmarkError
from tundish_bench.reports.charts.bars import bars_chart, panels_of, ratios_chart
from tundish_bench.reports.charts.curves import percentiles_chart, sweep_chart
from tundish_bench.reports.charts.style import Chart, render
from tundish_bench.reports.model import Report

__all__ = ["Chart", "charts_of", "draw", "key_figures", "render"]

_KEY_FIGURES: dict[str, tuple[str, ...]] = {
    "kernels": (),  # operators do different things: their times side by side say nothing
    "cuda": ("share of copy",),
    "sweep": (),
    "load": ("throughput", "p99", "server CPU"),
    "peers": ("throughput", "p99", "server CPU"),
}
"""By kind of report, the figures that bars are drawn of; of other kinds the first three that have a direction."""
_MOST_BARS = 3


def charts_of(report: Report) -> tuple[Chart, ...]:
    """All that its figures can be drawn as."""
    return tuple(_charts(report))


def draw(report: Report, form: Literal["svg", "png"]) -> bytes:
    """All plots of a report, below one another, as the bytes of a file.

    Raises:
        BenchmarkError: there is nothing to plot.
    """
    charts = charts_of(report)
    if not charts:
        raise BenchmarkError(f"'{report.title}' has nothing to plot; write it as .json, .csv or .html.")
    return render(charts, form)


def key_figures(report: Report) -> tuple[str, ...]:
    """The names of those figures that say most, ratios first."""
    return (*_ratios(report), *_bars(report))


def _charts(report: Report) -> Iterator[Chart]:
    if report.kind == "sweep" and (chart := sweep_chart(report)):
        yield chart
    for name in _ratios(report):
        if chart := ratios_chart(report, name):
            yield chart
    for name in _bars(report):
        for of, rows in panels_of(report.rows).items():
            if chart := bars_chart(report, name, rows, of):
                yield chart
    if chart := percentiles_chart(report):
        yield chart


def _ratios(report: Report) -> tuple[str, ...]:
    figures = [each for row in report.rows for each in row.figures]
    return tuple(dict.fromkeys(each.name for each in figures if each.unit == "x" and each.better is not None))


def _bars(report: Report) -> tuple[str, ...]:
    figures = [each for row in report.rows for each in row.figures]
    known = tuple(dict.fromkeys(each.name for each in figures if each.better is not None and each.unit != "x"))
    chosen = _KEY_FIGURES.get(report.kind)
    return known[:_MOST_BARS] if chosen is None else tuple(name for name in chosen if name in known)
