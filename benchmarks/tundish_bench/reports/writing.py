"""Writes a report to a file, in the form that the file's suffix says."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

from tundish.files import write_at_once
from tundish_bench.errors import BenchmarkError
from tundish_bench.reports.model import Report


def write_report(report: Report, path: Path) -> None:
    """Writes it whole or not at all: .json, .csv, .html, .svg or .png.

    A .csv has a line for each figure of each row: row, its settings, figure, unit, value, low, high, repeats, the last
    as values with a blank between them.

    Raises:
        BenchmarkError: the suffix is none of these, there is nothing to plot, or the file cannot be written.
    """
    made = _form(path)(report)
    try:
        write_at_once(path, made)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> BenchmarkError:
    return BenchmarkError(f"{path} cannot be written: {error.strerror}; give another path.")


def check_report_file(path: Path) -> None:
    """Refuses before anything was measured what `write_report` would refuse after.

    Raises:
        BenchmarkError: the suffix is none that can be written, there is no such directory, or it takes no files.
    """
    _form(path)
    if not path.absolute().parent.is_dir():
        raise BenchmarkError(f"{path} cannot be written: there is no directory {path.parent}; make it first.")
    if path.is_dir():
        raise BenchmarkError(f"{path} cannot be written: it is a directory; give another path.")
    try:
        with TemporaryFile(dir=path.absolute().parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from None


def as_json(report: Report) -> str:
    """As `read_report` reads it, in lines."""
    return report.model_dump_json(indent=2) + "\n"


def as_csv(report: Report) -> str:
    """A line for each figure of each row."""
    axes = tuple(dict.fromkeys(axis for row in report.rows for axis in row.settings))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["row", *axes, "figure", "unit", "value", "low", "high", "repeats"])
    for row in report.rows:
        settings = [row.settings.get(axis, "") for axis in axes]
        for figure in row.figures:
            low, high = figure.interval or ("", "")
            repeats = " ".join(map(repr, figure.repeats))
            writer.writerow([row.name, *settings, figure.name, figure.unit, figure.value, low, high, repeats])
    return stream.getvalue()


def _html(report: Report) -> str:
    from tundish_bench.reports.page import page

    return page(report)


def _svg(report: Report) -> bytes:
    from tundish_bench.reports.charts import draw

    return draw(report, "svg")


def _png(report: Report) -> bytes:
    from tundish_bench.reports.charts import draw

    return draw(report, "png")


_FORMS: dict[str, Callable[[Report], str | bytes]] = {
    ".json": as_json,
    ".csv": as_csv,
    ".html": _html,
    ".svg": _svg,
    ".png": _png,
}


def _form(path: Path) -> Callable[[Report], str | bytes]:
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise BenchmarkError(f"{path} says no form of report; give a name that ends in {_listed(list(_FORMS))}.")
    return form


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
