"""The rounds of the servers' benchmarks as a report, so that they stand in the history beside all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tundish_bench.report import Comparison
from tundish_bench.reports import Better, Figure, Report, Row
from tundish_bench.reports.history import append
from tundish_bench.rounds import Rounds, Sample

HistoryFile = Annotated[Path | None, typer.Option("--history", help="File of reports, to which this one is added.")]

Quantity = tuple[str, str, Better | None, Callable[[Sample], float | None]]
"""Name, unit and direction of a figure, and its value in a sample."""

THROUGHPUT: Quantity = ("throughput", "/s", "more", lambda sample: sample.items_per_second)
P50: Quantity = ("p50", "ms", "less", lambda sample: sample.p50_milliseconds)
P99: Quantity = ("p99", "ms", "less", lambda sample: sample.p99_milliseconds)
CLIENT_CPU: Quantity = ("client CPU", "ms", None, lambda sample: sample.client_cpu_milliseconds)

_QUANTITIES: tuple[Quantity, ...] = (
    THROUGHPUT,
    P50,
    P99,
    ("CPU", "ms", "less", lambda sample: sample.cpu_milliseconds),
    CLIENT_CPU,
    ("other work", "cores", None, lambda sample: sample.other_cores),
)

_NOTABLE_CORES = 0.1
"""As in `report.py`: other work that takes more makes a measurement doubtful."""


def add_to_history(
    file: Path | None, kind: str, title: str, measured: Mapping[str, Rounds], compared: Sequence[Comparison]
) -> None:
    """Appends a report, if a file was named for it.

    Args:
        file: the history.
        kind: which benchmark: 'image server'.
        title: what was measured, for people.
        measured: rounds, by what was measured in them.
        compared: what is held against goals.

    Raises:
        BenchmarkError: the file cannot be written.
    """
    if file:
        append(report_of(kind, title, measured, compared), file)


def report_of(kind: str, title: str, measured: Mapping[str, Rounds], compared: Sequence[Comparison]) -> Report:
    """A row for each subject and for each comparison; a round is a repeat."""
    rows = [_row(what, name, rounds) for what, rounds in measured.items() for name in rounds.names]
    return Report(
        kind=kind,
        title=title,
        method="A repeat is a round, in which every subject works for some seconds, one after the other and in every "
        "other round in reverse.",
        rows=(*rows, *map(_comparison, compared)),
        notes=tuple(_notes(measured)),
    )


def figures_in(samples: Sequence[Sample], quantities: Sequence[Quantity]) -> Iterator[Figure]:
    """Those quantities that the samples have; each is a repeat."""
    for name, unit, better, value in quantities:
        known = tuple(each for each in map(value, samples) if each is not None)
        if known:
            yield Figure(name=name, unit=unit, better=better, repeats=known)


def _row(what: str, name: str, rounds: Rounds) -> Row:
    figures = tuple(figures_in(rounds.samples(name), _QUANTITIES))
    return Row(name=f"{what}: {name}", settings={"load": what, "server": name}, figures=figures)


def _comparison(compared: Comparison) -> Row:
    """Two sides with a stroke between them are a ratio; anything else says its unit itself."""
    is_ratio = " / " in compared.what
    figure = Figure(
        name="ratio" if is_ratio else "value",
        unit="x" if is_ratio else "",
        better="less" if compared.goal.at_most else "more",
        repeats=tuple(compared.values),
    )
    bound = f"at {'most' if compared.goal.at_most else 'least'} {compared.goal.bound:g}"
    return Row(
        name=compared.what, figures=(figure,), notes=() if compared.met else (f"Its goal of {bound} is missed.",)
    )


def _notes(measured: Mapping[str, Rounds]) -> Iterator[str]:
    samples: list[Sample] = [sample for rounds in measured.values() for each in rounds for sample in each.values()]
    others = max(sample.other_cores for sample in samples)
    if others > _NOTABLE_CORES:
        yield f"Other work took up to {others:.2f} cores; measure on an idle machine."
