"""`tundish tune`: measures how a version runs best on this machine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from tundish.bundle import Bundle, ComposedBundle
from tundish.cli.leaving import INTERRUPTED, leave_at_once
from tundish.cli.models import find_bundle
from tundish.errors import InvalidInputError
from tundish.placement.figures import Measured
from tundish.placement.machine import other_work
from tundish.placement.tuning import Tuned
from tundish.placement.tuning import tune as run

_PLOT_SIZE = (78, 18)


def tune(
    repository: Annotated[Path, typer.Argument(help="Directory of <model>/<version>/bundle.json.")],
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[int | None, typer.Option(help="Version; the default is the highest.")] = None,
    minutes: Annotated[
        float,
        typer.Option(min=0.01, max=24 * 60, help="How long to measure; loading and warming up come on top."),
    ] = 2.0,
    slo_ms: Annotated[float | None, typer.Option(min=0.001, help="What p99 must stay under, in milliseconds.")] = None,
    inputs: Annotated[
        Path | None,
        typer.Option(help="Directory of images, or file with a text a line, to measure on; the default is made ones."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Measure variants, instances, threads and batch sizes of MODEL on this machine, and keep the best for `serve`.

    Whatever else the machine does meanwhile is measured with it.
    """
    errors = Console(stderr=True, highlight=False)  # so that the JSON can be piped
    bundle = find_bundle(repository, model, version)
    if isinstance(bundle, ComposedBundle):
        names = " and ".join(component.manifest.model for component in bundle.components.values())
        raise InvalidInputError(f"'{model}' is composed of others; tune {names}, each by itself.")
    if (share := other_work()) is not None:
        errors.print(
            f"[yellow]warning: Other work takes {share:.0%} of the cores, and is measured as well: what comes of it is "
            f"kept. Tune again on a quiet machine.[/]",
            soft_wrap=True,
        )
    try:
        tuned = _tuned(repository, bundle, errors, seconds=60 * minutes, inputs=inputs, slo_milliseconds=slo_ms)
    except KeyboardInterrupt:
        errors.print(
            f"Interrupted: nothing of it is kept, and `serve` places '{model}' as it did before.",
            markup=False,
            soft_wrap=True,
        )
        leave_at_once(INTERRUPTED)
    if as_json:
        print(json.dumps(_json(tuned)))
    else:
        _show(tuned)


def _tuned(repository: Path, bundle: Bundle, console: Console, **settings: Any) -> Tuned:
    """See `tundish.placement.tuning.tune`; with a progress bar."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bars:
        bar = bars.add_task("", total=1.0)
        return run(
            repository,
            bundle,
            on_progress=lambda share, description: bars.update(bar, completed=share, description=description),
            **settings,
        )


def _json(tuned: Tuned) -> dict[str, Any]:
    return {
        "choice": tuned.choice.model_dump(mode="json"),
        "front": [dataclasses.asdict(one) for one in tuned.front],
        "measured": [dataclasses.asdict(one) for one in tuned.measured],
        "path": None if tuned.path is None else str(tuned.path),
    }


def _show(tuned: Tuned) -> None:
    choice = tuned.choice
    console = Console(highlight=False)
    chosen = Measured(choice.placement, choice.figures)
    rows = tuned.front if chosen in tuned.front else [*tuned.front, chosen]
    console.print(_table(rows, chosen, len(tuned.measured)))
    console.print(_plot(tuned, chosen), markup=False, soft_wrap=True)
    if choice.slo_milliseconds is not None and choice.figures.p99_milliseconds > choice.slo_milliseconds:
        console.print(
            f"[yellow]No placement kept its p99 under {choice.slo_milliseconds:g} ms; this one has the lowest.[/]"
        )
    kept = f"kept in {tuned.path}" if tuned.path else "not kept: the repository cannot be written"
    console.print(f"{choice.model} version {choice.version}: {choice.placement}; {kept}.", markup=False, soft_wrap=True)


def _table(rows: list[Measured], chosen: Measured, count: int) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),  # so that all of it fits a terminal of 80 columns
        show_edge=False,
        caption=f"Of {count} placements, those that no other beats in both items/s and p99; CPU ms is of an item.",
    )
    table.add_column("variant", no_wrap=True)
    for heading in ("instances", "threads", "batch", "items/s", "p50 ms", "p99 ms", "CPU ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        placement, figures = row.placement, row.figures
        table.add_row(
            f"→ {placement.variant}" if row == chosen else placement.variant,
            str(placement.instances),
            str(placement.threads),
            str(placement.max_batch_size),
            f"{figures.items_per_second:.1f}",
            f"{figures.p50_milliseconds:.1f}",
            f"{figures.p99_milliseconds:.1f}",
            f"{figures.cpu_milliseconds_per_item:.2f}",
            style="bold green" if row == chosen else "",
        )
    return table


def _plot(tuned: Tuned, chosen: Measured) -> str:
    """Throughput against p99, of every placement, the front and the choice; without colours."""
    import plotext  # here, since it takes long and every command loads this file

    plotext.clear_figure()
    plotext.plot_size(*_PLOT_SIZE)
    plotext.theme("clear")
    for points, marker, label in (
        (tuned.measured, "·", "measured"),
        (tuned.front, "o", "front"),
        ([chosen], "X", "chosen"),
    ):
        plotext.scatter(
            [one.figures.p99_milliseconds for one in points],
            [one.figures.items_per_second for one in points],
            marker=marker,
            label=label,
        )
    plotext.xscale("log")
    plotext.xlabel("p99 ms")
    plotext.ylabel("items/s")
    return str(plotext.uncolorize(plotext.build()))
