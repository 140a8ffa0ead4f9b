"""A report as tables in a terminal of any width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tundish_bench.reports.model import Report, Row
from tundish_bench.reports.wording import with_interval

_MOST_ROWS_BESIDE = 3
"""So many rows are shown side by side, with their figures below one another, where one table would be too wide."""
_LONG_WORDS = 10
"""A heading of more characters is broken at its blanks."""
_NAME_SHARE = 0.4
_LEAST_NAME_WIDTH = 24
"""Of the width, at most, for the names of rows, which may be broken; and characters, at least."""


class Heading(NamedTuple):
    """Of a column of figures."""

    name: str
    unit: str


def headings(report: Report) -> tuple[Heading, ...]:
    """What at least one row has, in the order in which rows have it."""
    return tuple(dict.fromkeys(Heading(each.name, each.unit) for row in report.rows for each in row.figures))


def axes_of(report: Report) -> tuple[str, ...]:
    """The settings that not all rows have alike."""
    axes = dict.fromkeys(axis for row in report.rows for axis in row.settings)
    return tuple(axis for axis in axes if len({row.settings.get(axis) for row in report.rows}) > 1)


def cell(row: Row, heading: Heading) -> str:
    """What stands in the column of a heading; nothing if the row has no such figure."""
    figure = row.figure(heading.name)
    return with_interval(figure) if figure is not None and figure.unit == heading.unit else ""


def report_table(
    report: Report,
    figures: Sequence[Heading] | None = None,
    *,
    axes: Sequence[str] | None = None,
    name_width: int | None = None,
) -> Table:
    """A line for each row: its settings, or its name if these do not tell it from the others, and its figures.

    Args:
        report: what is shown.
        figures: the columns, by default all that a row has.
        axes: the settings, by default all that rows have otherwise.
        name_width: the most characters of a row's name in one line.
    """
    table = Table()
    axes = axes_of(report) if axes is None else axes
    named = not _are_told_by(report, axes)
    if named:
        table.add_column("", max_width=name_width, overflow="fold")
    for axis in axes:
        table.add_column(Text(_broken(axis)), justify=_side(report, axis), vertical="top")
    shown = headings(report) if figures is None else figures
    for heading in shown:
        table.add_column(Text(f"{_broken(heading.name)}\n{heading.unit}"), justify="right", no_wrap=True)
    for row in report.rows:
        settings = [str(row.settings.get(axis, "")) for axis in axes]
        cells = [*([row.name] if named else []), *settings, *(cell(row, heading) for heading in shown)]
        table.add_row(*map(Text, cells))
    return table


def show_report(console: Console, report: Report) -> None:
    """Prints title, method, figures in as many tables as the width takes, and notes."""
    console.print(Text(report.title, style="bold"))
    console.print(Text(report.method))
    for table in _tables(console, report):
        console.print(table)
    for note in notes_of(report):
        console.print(Text(f"note: {note}", style="yellow"))


def notes_of(report: Report) -> tuple[str, ...]:
    """Those of the whole, then those of rows, with the names of the rows that share one before it."""
    rows: dict[str, list[str]] = {}
    for row in report.rows:
        for note in row.notes:
            rows.setdefault(note, []).append(row.name)
    return (*report.notes, *(f"{', '.join(names)}: {note}" for note, names in rows.items()))


def _tables(console: Console, report: Report) -> Iterator[Table]:
    name_width = max(_LEAST_NAME_WIDTH, int(_NAME_SHARE * console.width))

    def width(table: Table) -> int:
        return Measurement.get(console, console.options.update(width=10_000), table).maximum

    def with_figures(*shown: Heading) -> Table:
        return report_table(report, shown, axes=axes, name_width=name_width)

    axes = axes_of(report)
    left = list(headings(report))
    if len(report.rows) <= _MOST_ROWS_BESIDE and width(with_figures(*left)) > console.width:
        turned = _turned(report, left)
        if width(turned) <= console.width:
            yield turned
            return
    widths = {heading: width(with_figures(heading)) - width(with_figures()) for heading in left}
    while left:
        bare = width(with_figures())
        count = 1
        while count < len(left) and bare + sum(widths[each] for each in left[: count + 1]) <= console.width:
            count += 1
        yield with_figures(*left[:count])
        left = left[count:]
        axes = _fewest_telling(report)  # the first table has said the others


def _turned(report: Report, shown: Sequence[Heading]) -> Table:
    """A line for each figure, a column for each row."""
    table = Table()
    table.add_column("")
    for row in report.rows:
        table.add_column(Text(row.name), justify="right")
    for axis in axes_of(report):
        table.add_row(Text(axis), *(Text(str(row.settings.get(axis, ""))) for row in report.rows))
    table.add_section()
    for heading in shown:
        name = Text(f"{heading.name}, {heading.unit}" if heading.unit else heading.name)
        table.add_row(name, *(Text(cell(row, heading)) for row in report.rows))
    return table


def _fewest_telling(report: Report) -> tuple[str, ...]:
    """The first settings that alone say which row is which; all of them if they do not."""
    axes = axes_of(report)
    return next((axes[:count] for count in range(1, len(axes)) if _are_told_by(report, axes[:count])), axes)


def _are_told_by(report: Report, axes: Sequence[str]) -> bool:
    """Whether the settings alone say which row is which."""
    values = {tuple(row.settings.get(axis) for axis in axes) for row in report.rows}
    return (
        bool(axes)
        and len(values) == len(report.rows)
        and all(axis in row.settings for row in report.rows for axis in axes)
    )


def _side(report: Report, axis: str) -> Literal["left", "right"]:
    """Numbers stand at the right, words at the left."""
    return "left" if any(isinstance(row.settings.get(axis), str) for row in report.rows) else "right"


def _broken(words: str) -> str:
    return words.replace(" ", "\n") if len(words) >= _LONG_WORDS else words
