"""`python -m tundish_bench.quantisation`: exports the models with a search, and prints what it gained and lost."""

from __future__ import annotations

import tempfile
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
    only: Annotated[list[str] | None, typer.Option(help="Rows to run; all if none is named.")] = None,
    seed: Annotated[int, typer.Option(help="Of the splits and the training.")] = 0,
    search_minutes: Annotated[float, typer.Option(help="Of each search.")] = 5.0,
) -> None:
    """Print each search and a table of what was wanted and what came out."""
    console = Console()
    results: list[tuple[Row, Exported]] = []
    for row in ROWS:
        if only and row.name not in only:
            continue
        console.rule(row.what)
        with tempfile.TemporaryDirectory() as scratch, loading_frameworks(), progress_bars(console) as progress:
            settings = ExportSettings(search_minutes=search_minutes, max_drop=row.most_drop)
            exported = row.export(Path(scratch), seed, settings, progress)
        console.print(trials_table(exported.trials))
        results.append((row, exported))
    console.print(_table(results))


def _table(results: list[tuple[Row, Exported]]) -> Table:
    table = Table(
        caption="Against fp32 in ONNX Runtime, one item on one thread, the two in turn; drops on the half that "
        "the search did not see"
    )
    for heading in ("model", "served", "recipe", "drop", "at most", "speed-up", "at least"):
        table.add_column(heading, overflow="fold")
    for row, exported in results:
        served = exported.bundle.manifest.servable[0]
        table.add_row(
            row.what,
            served.name,
            served.recipe,
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
