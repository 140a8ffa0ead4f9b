"""The kernels' benchmark: python -m tundish_bench.kernels [--only NAME] [--rounds N] [--report FILE]."""

from __future__ import annotations

import os
from typing import Annotated

# Read when these libraries are loaded: one thread for everyone.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")

import cv2
import typer
from rich.console import Console

import tundish_kernels
from tundish_bench.kernels import (
    convolutions,
    crop_resize_normalize,
    decode_jpeg,
    non_max_suppression,
    pack,
    pool_normalize,
    resize_normalize,
    run_length_encode,
    softmax_top_k,
    transformers,
    upsample_argmax,
    wordpiece,
)
from tundish_bench.kernels.reporting import METHOD, HistoryFile, ReportFile, check_files, finish, rounds_a_repeat
from tundish_bench.kernels.timing import measure
from tundish_bench.report import run_command
from tundish_bench.reports import Report

_CASES = (
    convolutions.cases,
    crop_resize_normalize.cases,
    decode_jpeg.cases,
    non_max_suppression.cases,
    pack.cases,
    pool_normalize.cases,
    resize_normalize.cases,
    run_length_encode.cases,
    softmax_top_k.cases,
    transformers.cases,
    upsample_argmax.cases,
    wordpiece.cases,
)


def main(
    only: Annotated[str, typer.Option(help="Measure only the cases whose names contain this.")] = "",
    rounds: Annotated[int, typer.Option(min=10, max=10_000, help="Rounds; each times every subject once.")] = 60,
    report_file: ReportFile = None,
    history: HistoryFile = None,
) -> None:
    """Time the native operators beside what they replace, on one thread."""
    check_files(report_file)
    cv2.setNumThreads(1)  # it has threads of its own, which no variable limits
    cases = [case for cases in _CASES for case in cases() if only in case.name]
    if not cases:
        raise typer.BadParameter(f"no case's name contains '{only}'")
    rows = []
    with Console(stderr=True).status("") as status:
        for number, case in enumerate(cases):
            status.update(f"{number + 1} of {len(cases)}: {case.name}")
            rows.append(measure(case, rounds).row())
    report = Report(
        kind="kernels",
        title=f"native operators ({tundish_kernels.isa()}), one thread",
        method=f"{METHOD.format(rounds=rounds_a_repeat(rounds))} times faster: than what it stands against, round by "
        "round.",
        rows=tuple(rows),
    )
    finish(report, report_file, history)


if __name__ == "__main__":
    run_command(main)
