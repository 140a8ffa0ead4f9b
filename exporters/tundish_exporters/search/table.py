"""The trials of a search as a table for people: what is fastest among what passes, and why the others lost."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from tundish_exporters.search.trial import Trial, drop_of, front, speedup_of

_COLORS = {"passed": "green", "failed": "red", "slower": "yellow", "impossible": "red", "not tried": "yellow"}


def trials_table(trials: Sequence[Trial]) -> Table:
    """The judged ones first, the fastest first; in bold those that none beats in both speed and accuracy."""
    best = front(trials)
    table = Table(
        caption="one item on one thread, against fp32 in ONNX Runtime; the drop in points\n"
        "bold: none is better in both speed and accuracy"
    )
    table.add_column("recipe", overflow="fold", ratio=1)
    table.add_column("engine", no_wrap=True)
    for heading in ("time", "speed-up", "drop"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("outcome", overflow="fold", max_width=40)
    for trial in sorted(trials, key=lambda each: (each.accuracy is None, -speedup_of(each))):
        color = _COLORS[trial.outcome]
        table.add_row(
            escape(_recipe(trial)),
            trial.engine,
            "" if trial.milliseconds is None else f"{trial.milliseconds:.2f} ms",
            "" if trial.speedup is None else f"{trial.speedup:.2f}x",
            "" if trial.accuracy is None else f"{100 * drop_of(trial):+.2f}",
            f"[{color}]{trial.outcome}[/]" + (f": {escape(trial.reason)}" if trial.outcome == "impossible" else ""),
            style="bold" if trial in best else None,
        )
    return table


def _recipe(trial: Trial) -> str:
    if trial.whole is None:
        return trial.recipe.name
    shown = ", ".join(trial.kept[:3]) + (", …" if len(trial.kept) > 3 else "")
    return f"{trial.whole.name}, in float: {shown}"
