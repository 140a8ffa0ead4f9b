"""What the benchmarks of operators on the CPU and on a GPU share: their figures, and the end of the command."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console

from tundish_bench.reports import Figure, Report
from tundish_bench.reports.history import append
from tundish_bench.reports.table import show_report
from tundish_bench.reports.writing import check_report_file, write_report

_MOST_REPEATS = 6
_LEAST_ROUNDS = 5
"""Of a repeat, where there are enough for two: one slow round then moves no median."""

METHOD = (
    "time: of a call; bandwidth: of the bytes that must be read and written, each once; share of copy: bandwidth as a "
    "share of that of a copy of as many bytes. A repeat is the median of {rounds} rounds that follow each other."
)

ReportFile = Annotated[
    Path | None, typer.Option("--report", "--json", help="File for the report: .json, .csv, .html, .svg or .png.")
]
HistoryFile = Annotated[Path | None, typer.Option("--history", help="File of reports, to which this one is added.")]


def in_repeats(rounds: Sequence[float]) -> tuple[float, ...]:
    """The medians of six runs of rounds, or of fewer where a run would be of less than five rounds.

    A round lasts milliseconds, and what disturbs one often disturbs the next: the rounds are not independent.
    """
    count = min(_MOST_REPEATS, max(2, len(rounds) // _LEAST_ROUNDS), len(rounds))
    ends = [round(number * len(rounds) / count) for number in range(count + 1)]
    return tuple(median(rounds[begin:end]) for begin, end in pairwise(ends))


def rounds_a_repeat(rounds: int) -> str:
    """For people: of how many rounds a repeat is."""
    count = len(in_repeats([0.0] * rounds))
    return f"{rounds // count}" if rounds % count == 0 else f"{rounds // count} or {rounds // count + 1}"


def operator_figures(seconds: Sequence[float], shares_of_copy: Sequence[float], bytes_moved: int) -> tuple[Figure, ...]:
    """Of an operator, from its rounds: seconds a call, and its bandwidth as a fraction of a copy's."""
    gigabytes = [bytes_moved / each / 1e9 for each in seconds]
    return (
        Figure(name="time", unit="µs", better="less", repeats=in_repeats([1e6 * each for each in seconds])),
        Figure(name="moved", unit="MB", repeats=(bytes_moved / 1e6,)),
        Figure(name="bandwidth", unit="GB/s", repeats=in_repeats(gigabytes)),
        Figure(
            name="share of copy", unit="%", better="more", repeats=in_repeats([100 * each for each in shares_of_copy])
        ),
    )


def check_files(report: Path | None) -> None:
    """Refuses before anything is measured what could not be written after; raises BenchmarkError."""
    if report:
        check_report_file(report)


def finish(report: Report, file: Path | None, history: Path | None) -> None:
    """Shows a report, and writes it where it was asked for."""
    show_report(Console(highlight=False), report)
    if file:
        write_report(report, file)
    if history:
        append(report, history)
