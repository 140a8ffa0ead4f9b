"""Figures of rows side by side: ratios beside a line at 1, and bars in groups, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from tundish_bench.reports.charts.style import (
    BAD,
    EVEN,
    GOOD,
    INK,
    Chart,
    Surface,
    dress,
    plain_ticks,
    series_styles,
)
from tundish_bench.reports.model import Better, Figure, Report, Row
from tundish_bench.reports.wording import DIRECTIONS, readable, shortened

_WIDE = 12.0
"""Ratios whose ends are this many times apart are drawn by their logarithms."""
_A_ROW, _AROUND = 0.27, 1.3
"""Inches."""
_SERIES = ("server", "peer", "variant", "engine")
"""Settings whose values are compared with each other in every group, if a report has them."""
_OPERATORS = ("kernels", "cuda")
"""Reports whose rows do different things, of which none can be best."""
_MOST_IN_A_GROUP = 6
_MOST_NAMES = 3
"""In a title."""
_LONGEST_NAME = 62
"""Characters beside a bar."""


class Entry(NamedTuple):
    """A bar."""

    name: str
    figure: Figure


def entries_of(rows: Sequence[Row], name: str) -> list[Entry]:
    """The figure of this name of those rows that have it."""
    return [Entry(row.name, figure) for row in rows if (figure := row.figure(name)) is not None]


def ratios_chart(report: Report, name: str) -> Chart | None:
    """Horizontal bars of a ratio: blue where it is proven to be better than 1, orange where worse, else grey."""
    entries = entries_of(report.rows, name)
    if not entries:
        return None
    better = entries[0].figure.better
    rivals, where = _last_group(report.rows, name)

    def paint(surface: Surface) -> None:
        axes = surface.subplots()
        _paint_bars(axes, entries, [_side(each.figure) for each in entries])
        values = [each.figure.value for each in entries]
        if min(values) > 0 and max(values) > _WIDE * min(values):
            axes.set_xscale("log")
        plain_ticks(axes.xaxis)
        axes.axvline(1, color=INK, linewidth=1)
        dress(axes, subtitle=report.title, across=_across(name, "x", better))
        _explain(surface, [_side(each.figure) for each in entries])

    return Chart(
        title=_count_title(entries, name)
        if report.kind in _OPERATORS
        else _ratio_title(rivals or entries, f"{name}{where}", better),
        subtitle=report.title,
        height=_height(len(entries)) + 0.3,
        paint=paint,
    )


def bars_chart(report: Report, name: str, rows: Sequence[Row], of: str = "") -> Chart | None:
    """Bars of a figure: in groups if settings make them, else one below the other. `of` says which rows these are."""
    entries = entries_of(rows, name)
    if len(entries) < 2:
        return None
    grouping = grouping_of([row for row in rows if row.figure(name)])
    first = entries[0].figure
    subtitle = f"{report.title}{f', {of}' if of else ''}"

    def paint(surface: Surface) -> None:
        axes = surface.subplots()
        if grouping is None:
            _paint_bars(axes, entries, [GOOD] * len(entries))
            axes.set_xlim(left=0)
            plain_ticks(axes.xaxis)
            dress(axes, subtitle=subtitle, across=_across(name, first.unit, first.better))
        else:
            _paint_groups(axes, rows, grouping, name)
            plain_ticks(axes.yaxis)
            dress(axes, subtitle=subtitle, across=grouping.groups, up=_across(name, first.unit, first.better))
            surface.legend(loc="outside right center", fontsize=8)

    height = _height(len(entries)) if grouping is None else 3.4
    return Chart(title=_bars_title(entries, name, grouping, rows), subtitle=subtitle, height=height, paint=paint)


class Grouping(NamedTuple):
    """Two settings that tell rows apart: groups along the axis, and series within each."""

    groups: str
    series: str


def grouping_of(rows: Sequence[Row]) -> Grouping | None:
    """By a number and a name, if there are both, and they alone say which row is which."""
    axes = [axis for axis in rows[0].settings if len({row.settings.get(axis) for row in rows}) > 1]
    numbers = [axis for axis in axes if not any(isinstance(row.settings.get(axis), str) for row in rows)]
    names = _deciding(rows, [axis for axis in axes if axis not in numbers])
    if len(numbers) != 1 or len(names) != 1:
        return None
    if len({(row.settings.get(numbers[0]), row.settings.get(names[0])) for row in rows}) != len(rows):
        return None
    return Grouping(numbers[0], names[0]) if len({row.settings[names[0]] for row in rows}) <= _MOST_IN_A_GROUP else None


def panels_of(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by the names that tell them apart beside that of what is compared: a chart for each."""
    axes = tuple(dict.fromkeys(axis for row in rows for axis in row.settings))
    names = _deciding(rows, [axis for axis in axes if any(isinstance(row.settings.get(axis), str) for row in rows)])
    series = next((axis for axis in _SERIES if axis in names), None)
    panels: dict[str, list[Row]] = {}
    for row in rows:
        others = [str(row.settings[axis]) for axis in names if axis != series and axis in row.settings]
        panels.setdefault(", ".join(others) if series else "", []).append(row)
    return panels


def _deciding(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """Without those that follow from one that is kept, as a variant's engine does; what is the same for all stays."""

    def values(*axes: str) -> int:
        return len({tuple(row.settings.get(axis) for axis in axes) for row in rows})

    kept: list[str] = []
    for name in sorted(names, key=values, reverse=True):
        if values(name) == 1 or all(values(each, name) > values(each) for each in kept):
            kept.append(name)
    return [name for name in names if name in kept]


def _last_group(rows: Sequence[Row], name: str) -> tuple[list[Entry], str]:
    """Those that can be held against each other: of the most callers, or the largest batch; and where that is."""
    having = [row for row in rows if row.figure(name)]
    grouping = grouping_of(having) if having else None
    if grouping is None:
        return [], ""
    last = max((row.settings[grouping.groups] for row in having), key=float)
    there = [
        Entry(str(row.settings[grouping.series]), found)
        for row in having
        if row.settings[grouping.groups] == last and (found := row.figure(name))
    ]
    return there, f" at {last} callers" if grouping.groups == "callers" else f" at {grouping.groups} {last}"


def _paint_bars(axes: Axes, entries: Sequence[Entry], colors: Sequence[str]) -> None:
    places = range(len(entries))
    axes.barh(places, [each.figure.value for each in entries], height=0.62, color=colors)
    axes.set_yticks(places, [shortened(each.name, _LONGEST_NAME) for each in entries], color=INK)
    axes.set_ylim(len(entries) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    for place, each in zip(places, entries, strict=True):
        interval = each.figure.interval
        end = each.figure.value
        if interval is not None:
            axes.plot([max(interval.low, 0), interval.high], [place, place], color=INK, linewidth=1.4)
            end = max(end, interval.high)
        axes.annotate(
            readable(each.figure.value),
            (end, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.margins(x=0.12)


def _paint_groups(axes: Axes, rows: Sequence[Row], grouping: Grouping, name: str) -> None:
    groups = sorted({row.settings[grouping.groups] for row in rows}, key=float)
    series = list(dict.fromkeys(str(row.settings[grouping.series]) for row in rows))
    width = 0.8 / len(series)
    for number, (each, (color, _)) in enumerate(zip(series, series_styles(), strict=False)):
        for place, group in enumerate(groups):
            figure = _figure_at(rows, {grouping.groups: group, grouping.series: each}, name)
            if figure is None:
                continue
            at = place + (number - (len(series) - 1) / 2) * width
            axes.bar(at, figure.value, width * 0.92, color=color, label=each if place == 0 else None)
            if figure.interval is not None:
                axes.plot([at, at], [max(0, figure.interval.low), figure.interval.high], color=INK, linewidth=1.2)
    axes.set_xticks(range(len(groups)), [str(group) for group in groups])
    axes.grid(visible=False, axis="x")


def _figure_at(rows: Sequence[Row], settings: dict[str, Any], name: str) -> Figure | None:
    match = [row for row in rows if all(str(row.settings.get(axis)) == str(value) for axis, value in settings.items())]
    return match[0].figure(name) if match else None


def _side(figure: Figure) -> str:
    interval = figure.interval
    if figure.better is None or interval is None or interval.low <= 1 <= interval.high:
        return EVEN
    return GOOD if (interval.low > 1) == (figure.better == "more") else BAD


def _explain(surface: Surface, colors: Sequence[str]) -> None:
    meanings = {GOOD: "better", BAD: "worse", EVEN: "not to be told from 1"}
    keys = [Line2D([], [], color=color, linewidth=6, label=said) for color, said in meanings.items() if color in colors]
    surface.legend(handles=keys, loc="outside lower right", ncols=len(keys), fontsize=8)


def _count_title(entries: Sequence[Entry], name: str) -> str:
    sides = [_side(each.figure) for each in entries]
    said = f"{sides.count(GOOD)} of {len(sides)} are proven to be better than 1, {sides.count(BAD)} to be worse"
    return f"{name}: {said}"


def _ratio_title(entries: Sequence[Entry], name: str, better: Better | None) -> str:
    best = _best(entries, better)[0]
    interval = best.figure.interval
    within = f" ({readable(interval.low)} to {readable(interval.high)})" if interval else ""
    return f"{name}: {_winners(entries, better)}, {readable(best.figure.value)} times{within}"


def _bars_title(entries: Sequence[Entry], name: str, grouping: Grouping | None, rows: Sequence[Row]) -> str:
    figure = entries[0].figure
    if figure.better is None or (grouping is None and not _are_rivals(rows)):
        values = sorted(each.figure.value for each in entries)
        return f"{name}: {readable(values[0])} to {readable(values[-1])} {figure.unit}"
    if grouping is None:
        best = _best(entries, figure.better)[0]
        return f"{name}: {_winners(entries, figure.better)}, {readable(best.figure.value)} {figure.unit}"
    there, where = _last_group(rows, name)
    said = f"{readable(_best(there, figure.better)[0].figure.value)} {figure.unit}"
    return f"{name}{where}: {_winners(there, figure.better)}, {said}"


def _are_rivals(rows: Sequence[Row]) -> bool:
    """Whether rows are other things, of which one can be best; or one thing under more or less load."""
    return not rows[0].settings or any(isinstance(value, str) for value in rows[0].settings.values())


def _winners(entries: Sequence[Entry], better: Better | None) -> str:
    """What is best, or what cannot be told from it."""
    names = [each.name for each in _best(entries, better)]
    if len(entries) == 1:
        return names[0]
    if len(names) == 1:
        return f"the best is {names[0]}"
    listed = (
        f"{', '.join(names[:-1])} and {names[-1]}"
        if len(names) <= _MOST_NAMES
        else f"{names[0]} and {len(names) - 1} others"
    )
    return f"no telling apart {listed}" if len(names) == len(entries) else f"the best are {listed}"


def _best(entries: Sequence[Entry], better: Better | None) -> list[Entry]:
    """The best and those whose intervals meet its own; a floor is a bound, not one of them."""
    rivals = [each for each in entries if not each.name.startswith("floor")] or list(entries)
    rivals.sort(key=lambda each: each.figure.value, reverse=better != "less")
    first = rivals[0].figure.interval
    alike = [
        each
        for each in rivals[1:]
        if first and (its := each.figure.interval) and its.low <= first.high and its.high >= first.low
    ]
    return [rivals[0], *alike]


def _across(name: str, unit: str, better: Better | None) -> str:
    direction = DIRECTIONS[better]
    return f"{name}, {unit}{f' ({direction})' if direction else ''}"


def _height(rows: int) -> float:
    return _AROUND + _A_ROW * rows
