"""Throughput against latency of a sweep, and the percentiles of latencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from hdrh.histogram import HdrHistogram
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from numpy.typing import NDArray

from tundish_bench.reports.charts.style import (
    INK,
    Chart,
    Surface,
    dress,
    label_points,
    plain_ticks,
    series_styles,
)
from tundish_bench.reports.model import Report, Row
from tundish_bench.reports.wording import readable, shortened

MOST_LINES = 6
_LOADS = ("callers", "rate")
"""Settings that say how much is asked; a line leads from the least to the most."""
_LOOPS = {"callers": "callers that wait", "rate": "at a rate"}
"""What to call them where a plot has both."""
_TICKS = (0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)
_POINTS = 400
"""Of a line of percentiles."""
_WIDE = 8.0
"""A range of latencies whose ends are this many times apart is drawn by its logarithms."""


def sweep_chart(report: Report) -> Chart | None:
    """p50 and p99 against throughput, a line for each setting beside the load; None if there is nothing to draw."""
    rows = [row for row in report.rows if all(row.figure(name) for name in ("throughput", "p50", "p99"))]
    if len(rows) < 2:
        return None
    lines = _lines(rows)
    shown = sorted(lines, key=lambda name: -max(_value(row, "throughput") for row in lines[name]))[:MOST_LINES]

    def paint(surface: Surface) -> None:
        _paint_sweep(surface, report, {name: lines[name] for name in lines if name in shown}, len(lines) - len(shown))

    return Chart(
        title=_sweep_title(report, rows),
        subtitle=report.title,
        height=4.6,
        paint=paint,
    )


def _load_of(row: Row) -> str | None:
    """The setting that says how much is asked."""
    axes = [axis for axis, value in row.settings.items() if not isinstance(value, str)]
    return next((axis for axis in _LOADS if axis in axes), axes[0] if axes else None)


def _lines(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows that differ in the load alone, by what they share that others have otherwise: callers or a rate, too."""
    loads = {_load_of(row) for row in rows}
    axes = dict.fromkeys(axis for row in rows for axis in row.settings)
    varying = [axis for axis in axes if axis not in loads and len({row.settings.get(axis) for row in rows}) > 1]
    lines: dict[str, list[Row]] = {}
    for row in rows:
        shared = [f"{axis} {row.settings.get(axis)}" for axis in varying]
        kind = [_LOOPS.get(_load_of(row) or "", "")] if len(loads) > 1 else []
        lines.setdefault(", ".join([*shared, *kind]), []).append(row)
    for line in lines.values():
        line.sort(key=_load_value)
    return lines


def _load_value(row: Row) -> float:
    load = _load_of(row)
    return float(row.settings[load]) if load is not None else 0.0


def _sweep_title(report: Report, rows: Sequence[Row]) -> str:
    bound = report.slo_milliseconds
    if bound is not None:
        # What callers get that wait for each other's answers is no rate that can be asked for.
        rates = any("rate" in row.settings for row in rows)
        within = [row for row in rows if row.name in report.highest or (not rates and _value(row, "p99") <= bound)]
        if not within:
            return f"No load has 99 % of its answers within {bound:g} ms"
        best = max(within, key=lambda row: _value(row, "throughput"))
        said = f"{readable(_value(best, 'throughput'))} requests/s"
        return f"Up to {said} with 99 % of the answers within {bound:g} ms ({best.name})"
    row = report.row(report.knee) if report.knee else None
    if row is not None and row.figure("throughput") and row.figure("p99"):
        said = (
            f"{readable(_value(row, 'throughput'))} requests/s, 99 % of them within {readable(_value(row, 'p99'))} ms"
        )
        return f"Beyond {row.name} more load hardly brings more: {said}"
    best = max(rows, key=lambda row: _value(row, "throughput"))
    return f"Up to {readable(_value(best, 'throughput'))} requests/s ({best.name})"


def _paint_sweep(surface: Surface, report: Report, lines: dict[str, list[Row]], left_out: int) -> None:
    axes = surface.subplots()
    points, labels = [], []
    loads = dict.fromkeys(load for row in report.rows if (load := _load_of(row)))
    for (name, rows), (color, marker) in zip(lines.items(), series_styles(), strict=False):
        across = [_value(row, "throughput") for row in rows]
        for figure, line, face in (("p99", "-", color), ("p50", "--", "none")):
            up = [_value(row, figure) for row in rows]
            label = f"{name} {figure}".strip()
            axes.plot(across, up, line, color=color, marker=marker, markersize=5, markerfacecolor=face, label=label)
            points += list(zip(across, up, strict=True))
            if figure == "p99":
                said = [f"{_load_value(row):g}" if _load_of(row) else row.name for row in rows]
                labels += list(zip(across, up, said, strict=True))
    axes.set_xlim(left=0)
    axes.set_yscale("log")
    axes.margins(x=0.06, y=0.12)
    plain_ticks(axes.yaxis)
    plain_ticks(axes.xaxis)
    named = f"; numbers at the points: {' or '.join(loads)}" if loads else ""
    if left_out:
        named += f"; {left_out} slower settings are in the table alone"
    dress(
        axes,
        subtitle=f"{report.title}{named}",
        across="throughput, requests/s (further right is better)",
        up="latency, ms (lower is better)",
    )
    _mark_bound(axes, report.slo_milliseconds)
    _mark_knee(axes, report)
    surface.legend(loc="outside right center", fontsize=8)
    label_points(axes, labels, points)


def _mark_bound(axes: Axes, bound: float | None) -> None:
    if bound is None:
        return
    axes.axhline(bound, color=INK, linewidth=1, linestyle=(0, (1, 2)))
    axes.annotate(
        f"asked for: {bound:g} ms", (0.01, bound), xycoords=("axes fraction", "data"), xytext=(0, 3),
        textcoords="offset points", fontsize=8,
    )  # fmt: skip


def _mark_knee(axes: Axes, report: Report) -> None:
    row = report.row(report.knee) if report.knee else None
    if row is None or not row.figure("p99") or not row.figure("throughput"):
        return
    style: Any = {
        "linestyle": "none",
        "marker": "o",
        "markersize": 13,
        "markerfacecolor": "none",
        "markeredgecolor": INK,
    }
    axes.plot(_value(row, "throughput"), _value(row, "p99"), label=f"knee: {shortened(row.name, 30)}", **style)


def percentiles_chart(report: Report) -> Chart | None:
    """Latency against percentile, as HDR histograms are drawn; of the rows that have one, six at most."""
    rows = [row for row in report.rows if row.histogram is not None]
    if not rows:
        return None
    told = _told_of(report, rows)
    decoded = {row.name: latencies for row in told if (latencies := _decoded(row)).total}
    if not decoded:
        return None
    drawn = {row.name: decoded[row.name] for row in _chosen(report, told) if row.name in decoded}

    def paint(surface: Surface) -> None:
        _paint_percentiles(surface, report, drawn, left_out=len(decoded) - len(drawn))

    title = _percentiles_title([row for row in told if row.name in decoded], decoded)
    return Chart(title=title, subtitle=report.title, height=4.2, paint=paint)


def _told_of(report: Report, rows: Sequence[Row]) -> list[Row]:
    """All but the rates that a search only tried."""
    named = {report.knee, *report.highest}
    return [row for row in rows if row.name in named or report.kind != "sweep" or "rate" not in row.settings]


def _chosen(report: Report, told: Sequence[Row]) -> list[Row]:
    """As many as can be told apart: those that the report names, and some between the first and the last."""
    named = {report.knee, *report.highest}
    others = [row for row in told if row.name not in named]
    room = max(0, MOST_LINES - (len(told) - len(others)))
    kept = {others[round(each)].name for each in np.linspace(0, len(others) - 1, min(room, len(others)))}
    return [row for row in told if row.name in named or row.name in kept][:MOST_LINES]


def _percentiles_title(rows: Sequence[Row], decoded: dict[str, _Latencies]) -> str:
    """By the figures of the table, which are means over the repeats; of few answers there is no 99th percentile."""
    name, share = ("p99", "99 %") if all(row.figure("p99") for row in rows) else ("p50", "Half")
    values = {row.name: _told(row, name, decoded[row.name]) for row in rows}
    least, most = (pick(values, key=values.__getitem__) for pick in (min, max))
    if len(values) == 1:
        half, most_of_them = (_told(rows[0], percentile, decoded[least]) for percentile in ("p50", "p99"))
        return f"Half of the answers come within {readable(half)} ms, 99 % within {readable(most_of_them)} ms"
    ends = [f"{readable(values[name])} ms ({name})" for name in (least, most)]
    return f"{share} of the answers come within {ends[0]} to {ends[1]}"


def _told(row: Row, name: str, latencies: _Latencies) -> float:
    """A percentile as the table has it, or of all repeats together."""
    figure = row.figure(name)
    return figure.value if figure is not None else float(latencies.at(float(name.removeprefix("p")) / 100))


def _paint_percentiles(surface: Surface, report: Report, decoded: dict[str, _Latencies], left_out: int) -> None:
    axes = surface.subplots()
    longest = max(latencies.total for latencies in decoded.values())
    drawn: list[float] = []
    for (name, latencies), (color, _) in zip(decoded.items(), series_styles(), strict=False):
        # Of 1000 answers, the last says nothing of what one in 10000 waits.
        across = np.geomspace(1, max(2.0, latencies.total), _POINTS)
        # The last answer of all stands at the end.
        up = latencies.at(np.append(1 - 1 / across[:-1], 1.0))
        axes.plot(across, up, color=color, label=shortened(name, 30), drawstyle="steps-post")
        drawn += [up.min(), up.max()]
    axes.set_xscale("log")
    ticks = [each for each in _TICKS if 1 / (1 - each) <= longest]
    axes.xaxis.set_major_locator(FixedLocator([1 / (1 - each) for each in ticks]))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{100 * each:.6g} %" for each in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())
    if max(drawn) > _WIDE * max(min(drawn), 1e-3):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    plain_ticks(axes.yaxis)
    axes.margins(x=0.02)
    dress(
        axes,
        subtitle=f"{report.title}; all repeats together{f'; {left_out} more are not drawn' if left_out else ''}",
        across="share of the answers that come within the time",
        up="latency, ms (lower is better)",
    )
    surface.legend(loc="outside right center", fontsize=8, reverse=True)


class _Latencies(NamedTuple):
    """A histogram as its recorded values, and how many latencies are not above each."""

    milliseconds: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def total(self) -> int:
        return int(self.counts[-1]) if len(self.counts) else 0

    def at(self, share: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """The least value that this share of the latencies is not above."""
        wanted = np.ceil(np.asarray(share) * self.total - 1e-9)
        return self.milliseconds[np.minimum(np.searchsorted(self.counts, wanted), len(self.counts) - 1)]


def _decoded(row: Row) -> _Latencies:
    recorded = HdrHistogram.decode(row.histogram).get_recorded_iterator()
    pairs = [(each.value_iterated_to / 1e3, each.total_count_to_this_value) for each in recorded]
    return _Latencies(np.array([value for value, _ in pairs]), np.array([count for _, count in pairs], np.int64))


def _value(row: Row, name: str) -> float:
    figure = row.figure(name)
    assert figure is not None
    return figure.value
