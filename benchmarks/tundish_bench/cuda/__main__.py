"""The GPU's benchmark: python -m tundish_bench.cuda [--only NAME] [--rounds N] [--small] [--report FILE].

The tests run this program on a stand-in for the driver, whose times mean nothing.
"""

from __future__ import annotations

from typing import Annotated

import typer

from tundish.placement.machine import this_machine
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
from tundish_bench.cuda.timing import measure
from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.reporting import METHOD, HistoryFile, ReportFile, check_files, finish, rounds_a_repeat
from tundish_bench.report import run_command
from tundish_bench.reports import Report
from tundish_kernels import cuda

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
    report_file: ReportFile = None,
    history: HistoryFile = None,
) -> None:
    """Time the operators on a GPU beside copies within its memory."""
    check_files(report_file)
    if (reason := cuda.reason()) is not None:
        raise BenchmarkError(reason)
    gpu = Gpu()
    rows = []
    for cases in _CASES:  # one at a time, because each holds memory of the GPU
        rows += [measure(gpu, case, rounds).row() for case in cases(gpu, small) if only in case.name]
    if not rows:
        raise typer.BadParameter(f"no case's name contains '{only}'")
    machine = this_machine()
    report = Report(
        kind="cuda",
        title=f"operators on a GPU, {gpu.name}",
        method=f"{METHOD.format(rounds=rounds_a_repeat(rounds))} to launch: what a call takes the host, which launches "
        "the next one without waiting.",
        machine=machine.model_copy(update={"processor": f"{gpu.name}, {machine.processor}"}),
        rows=tuple(rows),
    )
    finish(report, report_file, history)


if __name__ == "__main__":
    run_command(main)
