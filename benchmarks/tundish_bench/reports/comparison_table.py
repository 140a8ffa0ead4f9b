"""A comparison of two reports as a table in a terminal."""

from __future__ import annotations

from collections import Counter
from typing import get_args

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tundish_bench.reports.compare import Change, Comparison, Verdict
from tundish_bench.reports.wording import percent, readable

_STYLES = {"regressed": "red", "improved": "green"}
_SHORTER: dict[Verdict, str] = {"too uncertain to tell": "uncertain"}
"""In the table, which has to fit into 80 columns."""
_FACTORS_FROM = 10.0
"""A change of this share, or of more, is said as a factor: nobody reads 12,345.6 %."""


def show_comparison(console: Console, comparison: Comparison) -> None:
    """Prints all changes, what is proven first, and how many of each verdict there are."""
    console.print(Text(f"before: {comparison.before}\nafter:  {comparison.after}"))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("row", overflow="fold", min_width=9)
    table.add_column("figure", overflow="fold", min_width=14)
    for heading in ("before", "after", "change", "found\nfrom"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for verdict in get_args(Verdict):
        for each in comparison.changes:
            if each.verdict == verdict:
                said = Text(_SHORTER.get(verdict, verdict), style=_STYLES.get(verdict, ""))
                table.add_row(*map(Text, cells(each)), said)
    console.print(table)
    for note in comparison.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    console.print(Text(summary(comparison), style="bold"))


def summary(comparison: Comparison) -> str:
    """One sentence: how many figures of each verdict, and what a verdict takes."""
    counts = Counter(each.verdict for each in comparison.changes)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in get_args(Verdict))
    return (
        f"Of {len(comparison.changes)} figures: {said}. A change counts from {100 * comparison.tolerance:g} % on, if "
        f"it is proven with a confidence of 95 % for all figures together."
    )


def cells(change: Change) -> tuple[str, ...]:
    """Row, figure, before, after, the change with half of its interval, and what size of change would be found."""
    moved, found = (_in_unit if change.in_unit else _in_percent)(change)
    return change.row, f"{change.figure}, {change.unit}", readable(change.before), readable(change.after), moved, found


def _in_percent(change: Change) -> tuple[str, str]:
    is_factor = change.change >= _FACTORS_FROM
    moved = f"{readable(1 + change.change)} x" if is_factor else percent(change.change)
    if change.interval is None or change.detectable is None:
        return moved, ""
    half = (change.interval.high - change.interval.low) / 2
    number, _, unit = moved.partition(" ")
    said = readable(half) if is_factor else f"{100 * half:,.1f}"
    return f"{number} ± {said} {unit}", _share(change.detectable)


def _share(size: float) -> str:
    return f"{100 * size:.1f} %" if size < _FACTORS_FROM else f">{100 * _FACTORS_FROM:,.0f} %"


def _in_unit(change: Change) -> tuple[str, str]:
    if change.interval is None or change.detectable is None:
        return readable(change.change), ""
    half = (change.interval.high - change.interval.low) / 2
    return f"{readable(change.change)} ± {readable(half)}" if half else readable(change.change), readable(
        change.detectable
    )
