"""The kernels' benchmark: python -m tundish_bench.kernels [--only NAME] [--rounds N] [--json FILE]."""

from __future__ import annotations

import json
import os
from pathlib import Path
from statistics import median
from typing import Annotated

# Read when these libraries are loaded: one thread for everyone.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")

import cv2
import typer
from rich.console import Console
from rich.table import Table

import tundish_kernels
from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels import (
    crop_resize_normalize,
    decode_jpeg,
    non_max_suppression,
    pack,
    pool_normalize,
    resize_normalize,
    run_length_encode,
    softmax_top_k,
    upsample_argmax,
    wordpiece,
)
from tundish_bench.kernels.timing import Timing, measure

_TABLE_WIDTH = 165
"""A narrower terminal wraps the lines rather than cut figures off."""

_CASES = (
    crop_resize_normalize.cases,
    decode_jpeg.cases,
    non_max_suppression.cases,
    pack.cases,
    pool_normalize.cases,
    resize_normalize.cases,
    run_length_encode.cases,
    softmax_top_k.cases,
    upsample_argmax.cases,
    wordpiece.cases,
)


def main(
    only: Annotated[str, typer.Option(help="Measure only the cases whose names contain this.")] = "",
    rounds: Annotated[int, typer.Option(min=10, max=10_000, help="Rounds; each times every subject once.")] = 60,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures, for programs.")] = None,
) -> None:
    """Time the native operators beside what they replace, on one thread."""
    cv2.setNumThreads(1)  # it has threads of its own, which no variable limits
    console = Console(highlight=False)
    console.width = max(console.width, _TABLE_WIDTH)
    cases = [case for cases in _CASES for case in cases() if only in case.name]
    if not cases:
        raise typer.BadParameter(f"no case's name contains '{only}'")
    timings = []
    with console.status("") as status:
        for number, case in enumerate(cases):
            status.update(f"{number + 1} of {len(cases)}: {case.name}")
            timings.append(measure(case, rounds))
    console.print(_table(timings, rounds))
    console.print("MB: what must be read and written; copies: the time in copies of as many bytes.", soft_wrap=True)
    if json_file:
        content = {"isa": tundish_kernels.isa(), "rounds": rounds, "cases": [_figures(timing) for timing in timings]}
        json_file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _table(timings: list[Timing], rounds: int) -> Table:
    table = Table(title=f"native operators ({tundish_kernels.isa()}), one thread, {rounds} rounds: medians")
    table.add_column("operator", no_wrap=True)
    for heading in ("µs", "MB", "GB/s", "copies"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("against", no_wrap=True)
    table.add_column("times faster", justify="right", no_wrap=True)
    table.add_column("goal", justify="right", no_wrap=True)
    for timing in timings:
        case = timing.case
        low, high = timing.ratio_range
        table.add_row(
            case.name,
            f"{1e6 * median(timing.operator):,.1f}",
            f"{case.bytes_moved / 1e6:.2f}",
            f"{timing.gigabytes_per_second:.2f}",
            f"{timing.copy_ratio:.1f}",
            case.baseline_name,
            f"{timing.ratio:.2f} ({low:.2f} - {high:.2f})",
            f"[{'green' if timing.met else 'red'}]{case.goal:g}[/]",
        )
    return table


def _figures(timing: Timing) -> dict[str, object]:
    return {
        "name": timing.case.name,
        "baseline_name": timing.case.baseline_name,
        "bytes_moved": timing.case.bytes_moved,
        "goal": timing.case.goal,
        "ratio": timing.ratio,
        "operator_seconds": timing.operator,
        "baseline_seconds": timing.baseline,
        "copy_seconds": timing.copy,
    }


if __name__ == "__main__":
    try:
        typer.run(main)
    except BenchmarkError as error:
        raise SystemExit(f"error: {error}") from None
