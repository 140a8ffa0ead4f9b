"""The history of the benchmarks: python -m tundish_bench.history [FILE] [--html F] [--png F]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from tundish.files import write_at_once
from tundish_bench.errors import BenchmarkError
from tundish_bench.report import make_console, run_command
from tundish_bench.reports.charts import key_figures, render
from tundish_bench.reports.charts.over_time import history_chart
from tundish_bench.reports.comparison_table import show_comparison
from tundish_bench.reports.history import DEFAULT_HISTORY, History, by_kind, read_history, since_before
from tundish_bench.reports.page import history_page


def main(
    file: Annotated[Path, typer.Argument(help="What `make bench` appends to.")] = DEFAULT_HISTORY,
    html: Annotated[Path | None, typer.Option(help="File for a page with the figures over time.")] = None,
    png: Annotated[Path | None, typer.Option(help="File for a picture of them.")] = None,
) -> None:
    """Show the newest run of each benchmark against the one before it on the same machine."""
    console = make_console()
    history = read_history(file)
    for note in history.notes:
        console.print(Text(f"note: {note}", style="yellow"), soft_wrap=True)
    if not history.reports:
        raise BenchmarkError(f"{file} holds no report; `make bench` appends some.")
    for kind, reports in by_kind(history.reports).items():
        console.rule(Text(kind, style="bold"))
        comparison = since_before(reports)
        if comparison is None:
            console.print(f"The run of {reports[-1].created:%Y-%m-%d %H:%M} UTC is the first on its machine.")
        else:
            show_comparison(console, comparison)
    _write(html, history_page(history) if html else "")
    _write(png, _picture(history) if png else b"")


def _picture(history: History) -> bytes:
    kinds = by_kind(history.reports).values()
    return render([history_chart(reports, key_figures(reports[-1])) for reports in kinds], "png")


def _write(path: Path | None, content: str | bytes) -> None:
    try:
        if path:
            write_at_once(path, content)
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be written: {error.strerror}; give another path.") from None


if __name__ == "__main__":
    run_command(main)
