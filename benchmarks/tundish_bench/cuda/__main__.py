"""The GPU's benchmark: python -m tundish_bench.cuda [--only NAME] [--rounds N] [--small] [--json FILE].

Not yet run on a GPU.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tundish_bench.cuda import (
    crop_resize_normalize,
    non_max_suppression,
    pack,
    pool_normalize,
    resize_normalize,
    run_length_encode,
    softmax_top_k,
    upsample_argmax,
    wordpiece,
)
from tundish_bench.cuda.gpu import Gpu
from tundish_bench.cuda.timing import Timing, measure
from tundish_bench.errors import BenchmarkError
from tundish_kernels import cuda

_TABLE_WIDTH = 110
"""A narrower terminal wraps the lines rather than cut figures off."""

_CASES = (
    crop_resize_normalize.cases,
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
    rounds: Annotated[int, typer.Option(min=2, max=10_000, help="Rounds; each times operator and copy once.")] = 60,
    small: Annotated[bool, typer.Option("--small", help="Take small inputs: to see that it works.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures, for programs.")] = None,
) -> None:
    """Time the operators on a GPU beside copies within its memory."""
    if (reason := cuda.reason()) is not None:
        raise BenchmarkError(reason)
    gpu = Gpu()
    timings = []
    for cases in _CASES:  # one at a time, because each holds memory of the GPU
        timings += [measure(gpu, case, rounds) for case in cases(gpu, small) if only in case.name]
    if not timings:
        raise typer.BadParameter(f"no case's name contains '{only}'")
    console = Console(highlight=False)
    console.width = max(console.width, _TABLE_WIDTH)
    console.print(_table(timings, rounds))
    console.print("MB: what must be read and written; of a copy: bandwidth as a share of a copy's of as many bytes.")
    if json_file:
        content = {"rounds": rounds, "cases": [_figures(timing) for timing in timings]}
        json_file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _table(timings: list[Timing], rounds: int) -> Table:
    table = Table(title=f"operators on an NVIDIA GPU, {rounds} rounds: medians")
    table.add_column("operator", no_wrap=True)
    for heading in ("µs", "MB", "GB/s", "of a copy"):
        table.add_column(heading, justify="right", no_wrap=True)
    for timing in timings:
        table.add_row(
            timing.case.name,
            f"{1e6 * median(timing.operator):,.1f}",
            f"{timing.case.bytes_moved / 1e6:.2f}",
            f"{timing.gigabytes_per_second:.1f}",
            f"{100 * timing.share_of_copy:.0f} %",
        )
    return table


def _figures(timing: Timing) -> dict[str, object]:
    return {
        "name": timing.case.name,
        "bytes_moved": timing.case.bytes_moved,
        "share_of_copy": timing.share_of_copy,
        "operator_seconds": timing.operator,
        "copy_seconds": timing.copy,
    }


if __name__ == "__main__":
    try:
        typer.run(main)
    except BenchmarkError as error:
        raise SystemExit(f"error: {error}") from None
