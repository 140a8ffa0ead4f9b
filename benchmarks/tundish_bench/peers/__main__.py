"""Compares tundish with other servers: `python -m tundish_bench.peers`; see `--help` and docs/benchmarks.md."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tundish.errors import TundishError
from tundish.files import write_at_once
from tundish_bench.errors import BenchmarkError
from tundish_bench.peers.comparison import Wanted, compare, install
from tundish_bench.peers.document import document
from tundish_bench.peers.plots import plots_of
from tundish_bench.peers.roster import PEERS, peer_of
from tundish_bench.peers.workloads import WORKLOADS, WorkloadName
from tundish_bench.report import make_console
from tundish_bench.reports import Report
from tundish_bench.reports.model import read_report
from tundish_bench.reports.writing import write_report

REASONS = Path("docs/benchmarks/reasons.md")
"""Written by people; a comparison's document includes it."""

_MOST_MINUTES = 20.0
_CALLERS = (1, 4, 16, 64)
_SUFFIXES = (".md", ".json")

app = typer.Typer(add_completion=False, no_args_is_help=False, pretty_exceptions_enable=False)

_ReportFiles = Annotated[
    list[Path] | None,
    typer.Option("--report", help="A file to write: .md, the document; .json, the figures. Repeat it for both."),
]


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    workload: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(WORKLOADS)}; repeat it for several.")
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(PEERS)}, or NAME:8 to batch up to 8; repeat it for several."),
    ] = None,
    callers: Annotated[
        list[int] | None, typer.Option(min=1, max=512, help="Requests in flight; repeat it for several.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.5, max=_MOST_MINUTES, help="For all of it.")] = _MOST_MINUTES,
    report: _ReportFiles = None,
) -> None:
    """Compare tundish with tritonserver, mosec, LitServe and MLServer, interleaved, on the demo's models."""
    if context.invoked_subcommand is not None:
        return
    files = _checked(report or [])
    wanted = Wanted(
        workloads=_workloads(workload or []),
        peers=[peer_of(said) for said in dict.fromkeys(peer or PEERS)],
        callers=sorted(set(callers or _CALLERS)),
        minutes=minutes,
    )
    console = make_console()
    made = compare(wanted, console)
    console.print(document(made.report, _reasons()), markup=False, soft_wrap=True)
    _write(made.report, files)
    if made.failures:
        raise BenchmarkError("; ".join(f"{name} was not measured: {error}" for name, error in made.failures.items()))


@app.command("install")
def install_peers(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(PEERS)}; all, if none is named.")] = None,
) -> None:
    """Install peers, each into an environment of its own."""
    console = make_console()
    for name, environment in install([peer_of(name) for name in names or PEERS], console).items():
        console.print(f"{name}: {environment}", markup=False, soft_wrap=True)


@app.command("document")
def write_document(
    figures: Annotated[Path, typer.Argument(help="A .json that --report wrote.")],
    report: _ReportFiles = None,
) -> None:
    """Write the document of a comparison anew, as after a change of docs/benchmarks/reasons.md."""
    files = _checked(report or [])
    made = read_report(figures)
    if made.kind != "peers":
        raise BenchmarkError(f"{figures} is of a benchmark of {made.kind}, not of peers; give one of these.")
    _write(made, files)


def _workloads(names: Sequence[str]) -> list[WorkloadName]:
    for name in names:
        if name not in WORKLOADS:
            raise BenchmarkError(f"There is no workload '{name}'; choose of {', '.join(WORKLOADS)}.")
    return [name for name in WORKLOADS if name in names or not names]


def _checked(files: Sequence[Path]) -> Sequence[Path]:
    for file in files:
        if file.suffix not in _SUFFIXES:
            raise BenchmarkError(f"{file} says no form of report; give a name that ends in {' or '.join(_SUFFIXES)}.")
        if not file.absolute().parent.is_dir():
            raise BenchmarkError(f"{file} cannot be written: there is no directory {file.parent}; make it first.")
    return files


def _reasons() -> str:
    try:
        return REASONS.read_text(encoding="utf-8")
    except OSError:
        raise BenchmarkError(f"{REASONS} cannot be read; run this in the project's directory.") from None


def _write(report: Report, files: Sequence[Path]) -> None:
    for file in files:
        if file.suffix == ".md":
            _write_document(report, file)
        else:
            write_report(report, file)


def _write_document(report: Report, file: Path) -> None:
    """The plots go into a folder beside it that has its name."""
    plots = tuple(plots_of(report))
    folder = file.with_suffix("")
    folder.mkdir(exist_ok=True)
    for plot in plots:
        write_at_once(folder / plot.name, plot.content)
    write_at_once(file, document(report, _reasons(), plots, folder.name))


def main() -> None:
    """Exit code 0 if it measured, 2 for a usage error, 1 for a failure, said in one sentence."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server outlives what has started it
    try:
        app(prog_name="python -m tundish_bench.peers")
    except TundishError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
