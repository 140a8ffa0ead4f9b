"""What the benchmarks of servers print and write: the table, ratios, goals, warnings, and figures for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from tundish.errors import TundishError
from tundish_bench.rounds import Rounds

_TABLE_WIDTH = 100
_NOTABLE_CORES = 0.1
"""Other work that takes more than this makes a measurement doubtful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What the median of a figure is held against."""

    bound: float
    at_most: bool = False
    """Whether less is better."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure that is held against a goal."""

    what: str
    """Both sides, the figure and its unit, for people."""
    values: Sequence[float]
    """Of each round."""
    goal: Goal

    @property
    def met(self) -> bool:
        """Whether the median of the values reaches the goal's bound."""
        middle = median(self.values)
        return middle <= self.goal.bound if self.goal.at_most else middle >= self.goal.bound


def make_console() -> Console:
    """On standard output, wide enough for the tables, wherever that leads."""
    console = Console(highlight=False)
    console.width = max(console.width, _TABLE_WIDTH)
    return console


def show_table(console: Console, measured: Rounds, *, what: str, item: str) -> None:
    """A row for each subject; `what` is measured, a number of times an `item`."""
    table = Table(
        title=f"{what}, {len(measured)} rounds: median (least - most)",
        caption=f"CPU of the server, for each {item}; others: cores that other work took",
    )
    table.add_column("subject", no_wrap=True)
    for heading in ("CPU ms", f"{item}s/s", "p50 ms", "p99 ms", "others"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in measured.names:
        samples = measured.samples(name)
        table.add_row(
            name,
            spread([sample.cpu_milliseconds for sample in samples], 2),
            f"{median(sample.items_per_second for sample in samples):.0f}",
            _median([sample.p50_milliseconds for sample in samples]),
            _median([sample.p99_milliseconds for sample in samples]),
            f"{median(sample.other_cores for sample in samples):.2f}",
        )
    console.print(table)


def show_each_round(console: Console, what: str, values: Sequence[float]) -> None:
    """The value of every round."""
    console.print(f"{what} round by round: {', '.join(f'{value:.3f}' for value in values)}", soft_wrap=True)


def show_spread(console: Console, what: str, values: Sequence[float]) -> None:
    """The median of the rounds, the least and the most."""
    console.print(f"{what}: {spread(values, 3)}", soft_wrap=True)


def show_comparisons(console: Console, comparisons: Sequence[Comparison]) -> None:
    """The same of each, and whether its goal is met."""
    for each in comparisons:
        verdict = "[green]met[/]" if each.met else "[red]missed[/]"
        bound = f"at {'most' if each.goal.at_most else 'least'} {each.goal.bound:g}"
        figure = spread(each.values, 3) if len(each.values) > 1 else f"{each.values[0]:.3g}"
        text = f"{each.what}: {figure}; the goal of {bound} is {verdict}."
        console.print(f"[bold]{text}[/]", soft_wrap=True)


def warn_of_other_work(console: Console, *measured: Rounds) -> None:
    """Says so if the machine was not idle but for the subjects and their client."""
    samples = [sample for rounds in measured for each in rounds for sample in each.values()]
    others = max(sample.other_cores for sample in samples)
    if others > _NOTABLE_CORES:
        console.print(
            f"[yellow]warning:[/] other work took up to {others:.2f} cores; measure on an idle machine.", soft_wrap=True
        )


def figures_of(measured: Rounds) -> list[dict[str, Any]]:
    """The samples of each round by subject, for programs."""
    return [{name: asdict(sample) for name, sample in each.items()} for each in measured]


def write_json(path: Path | None, content: Mapping[str, Any]) -> None:
    """Writes what was measured, if a file was named for it."""
    if path:
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def run_command(command: Callable[..., None]) -> None:
    """Runs a command. Exit code 0 if it measured, 2 for a usage error, 1 for a failure, said in one sentence."""
    try:
        typer.run(command)
    except TundishError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)


def spread(values: Sequence[float], digits: int) -> str:
    """The median, the least and the most."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} - {max(values):.{digits}f})"


def _median(values: Sequence[float | None], digits: int = 1) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):.{digits}f}" if known else ""
