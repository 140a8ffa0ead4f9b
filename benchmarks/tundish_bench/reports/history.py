"""The history: reports of the same benchmarks in the order in which they were made, one a line of a file.

Rows belong together that have the same kind of report and the same name, and were measured on the same machine, with
the same versions of what computes; tundish itself is what changes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from tundish.placement.machine import Machine
from tundish_bench.errors import BenchmarkError
from tundish_bench.reports.compare import TOLERANCE, Comparison, compare
from tundish_bench.reports.model import Figure, Report

DEFAULT_HISTORY = Path(".bench/history.jsonl")


class History(NamedTuple):
    """What a file holds."""

    reports: tuple[Report, ...]
    """The oldest first."""
    notes: tuple[str, ...]
    """A sentence for each line that is no report, such as one whose writer was cut off."""


class Point(NamedTuple):
    """A figure of a row in one report."""

    run: int
    """Which of the reports of its kind, from 0."""
    machine: str
    figure: Figure


def append(report: Report, file: Path) -> None:
    """Adds a report without its histograms; writers wait for one another, and a line that was cut off stays alone.

    Raises:
        BenchmarkError: the file cannot be written.
    """
    rows = tuple(row.model_copy(update={"histogram": None}) for row in report.rows)
    line = report.model_copy(update={"rows": rows}).model_dump_json().encode() + b"\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            stream.write(line if _ends_well(stream.fileno()) else b"\n" + line)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise BenchmarkError(f"{file} cannot be written: {error.strerror}; give another path.") from None


def read_history(file: Path) -> History:
    """Reads what `append` wrote; what is no report is said and left out.

    Raises:
        BenchmarkError: the file cannot be read.
    """
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise BenchmarkError(f"{file} cannot be read: {error.strerror}; `make bench` writes one.") from None
    reports, notes = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            reports.append(Report.model_validate_json(line))
        except ValidationError:
            notes.append(f"Line {number} of {file} is no report and is left out; its writer may have been cut off.")
    return History(tuple(sorted(reports, key=lambda report: report.created)), tuple(notes))


def machine_of(machine: Machine) -> str:
    """What rows must share to belong together: all of a machine but the version of tundish."""
    packages = {name: version for name, version in machine.packages.items() if name != "tundish"}
    return machine.model_copy(update={"packages": packages}).fingerprint


def by_kind(reports: Sequence[Report]) -> dict[str, list[Report]]:
    """Reports of one benchmark each, in their order."""
    kinds: dict[str, list[Report]] = {}
    for report in reports:
        kinds.setdefault(report.kind, []).append(report)
    return kinds


def points_of(reports: Sequence[Report], row: str, figure: str) -> list[Point]:
    """A figure of the rows of this name, report by report of one kind."""
    return [
        Point(run, machine_of(report.machine), found)
        for run, report in enumerate(reports)
        if (its := report.row(row)) is not None and (found := its.figure(figure)) is not None
    ]


def since_before(reports: Sequence[Report], *, tolerance: float = TOLERANCE) -> Comparison | None:
    """The newest of the reports of one kind against the one before it on its machine; None if there is none."""
    *others, newest = reports
    machine = machine_of(newest.machine)
    before = next((report for report in reversed(others) if machine_of(report.machine) == machine), None)
    if before is None:
        return None
    try:
        return compare(before, newest, tolerance=tolerance)
    except BenchmarkError:  # the benchmark has become another, with no figure of the old one
        return None


def _ends_well(descriptor: int) -> bool:
    """Whether the file is empty or ends with the end of a line."""
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
