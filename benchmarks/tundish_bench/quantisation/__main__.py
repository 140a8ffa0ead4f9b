"""`python -m tundish_bench.quantisation`: exports the models with a search, and prints what it gained and lost."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tundish.manifest import Manifest, Variant
from tundish_bench.quantisation.rows import ROWS, Row
from tundish_exporters.candidates import FLOAT_NAME
from tundish_exporters.cli import loading_frameworks, progress_bars
from tundish_exporters.export_options import ExportSettings
from tundish_exporters.exporting import Exported
from tundish_exporters.search.table import trials_table


def main(
    only: Annotated[list[str] | None, typer.Option(help="A row to run; may be repeated. All by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of the splits and the training.")] = 0,
    search_minutes: Annotated[float, typer.Option(help="Of each search.")] = 5.0,
) -> None:
    """Print each search and a table of what was wanted and what came out; exit code 1 if a row failed."""
    console = Console()
    results: list[tuple[Row, Exported | Exception]] = []
    for row in _rows(only):
        console.rule(row.what)
        outcome = _run(console, row, seed, search_minutes)
        if isinstance(outcome, Exception):
            console.print(f"{type(outcome).__name__}: {outcome}", style="red", markup=False, soft_wrap=True)
        else:
            console.print(trials_table(outcome.trials))
        results.append((row, outcome))
    console.print(_table(results))
    for row, outcome in results:
        if not isinstance(outcome, Exception):
            served = outcome.bundle.manifest.servable[0]
            console.print(f"{row.name}: {served.recipe}", markup=False, soft_wrap=True)
    if any(isinstance(outcome, Exception) for _, outcome in results):
        raise typer.Exit(1)


def _rows(only: Sequence[str] | None) -> list[Row]:
    names = [row.name for row in ROWS]
    if unknown := [name for name in only or () if name not in names]:
        raise typer.BadParameter(f"There is no row '{unknown[0]}'; there are {', '.join(names)}.", param_hint="--only")
    return [row for row in ROWS if not only or row.name in only]


def _run(console: Console, row: Row, seed: int, search_minutes: float) -> Exported | Exception:
    """What was exported, or why it could not be: the other rows, which take minutes each, are not lost with it."""
    settings = ExportSettings(search_minutes=search_minutes, max_drop=row.most_drop)
    try:
        with tempfile.TemporaryDirectory() as scratch, loading_frameworks(), progress_bars(console) as progress:
            return row.export(Path(scratch), seed, settings, progress)
    except Exception as error:  # of downloads, training, engines
        return error


def _table(results: Sequence[tuple[Row, Exported | Exception]]) -> Table:
    table = Table(
        caption="Against fp32 in ONNX Runtime, one item on one thread, the two in turn; drops on the half that "
        "the search did not see"
    )
    for heading in ("model", "served", "drop", "at most", "speed-up", "at least"):
        table.add_column(heading, overflow="fold")
    for row, exported in results:
        if isinstance(exported, Exception):
            table.add_row(row.what, "failed", "", f"{100 * row.most_drop:g}", "", f"{row.least_speedup:g}x")
            continue
        served = exported.bundle.manifest.servable[0]
        table.add_row(
            row.what,
            served.name,
            _drop(served),
            f"{100 * row.most_drop:g}",
            f"{_speedup(exported.bundle.manifest, served):.2f}x",
            f"{row.least_speedup:g}x",
        )
    return table


def _drop(variant: Variant) -> str:
    accuracy = variant.accuracy
    return "" if accuracy is None else f"{100 * (accuracy.reference - accuracy.value):+.2f}"


def _speedup(manifest: Manifest, served: Variant) -> float:
    floating = next(variant for variant in manifest.variants if variant.name == FLOAT_NAME)
    return floating.latency.median_milliseconds / served.latency.median_milliseconds


if __name__ == "__main__":
    typer.run(main)
