"""Tables of samples: `.csv`, `.tsv` and `.jsonl`, a row a sample."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from tundish_exporters.data.faults import Fault
from tundish_exporters.data.rows import Columns, Row
from tundish_exporters.data.sample import Sample
from tundish_exporters.errors import DataError

MAX_TABLE_BYTES = 1024**3
"""Of a file that is read into memory; a few thousand samples are enough to calibrate and to judge."""


def read_lines(path: Path) -> Iterator[Sample | Fault]:
    """The texts of a file that has one a line; blank lines are none. Raises DataError if it cannot be read."""
    for number, line in _read(path, _numbered):
        if line.strip():
            yield Sample((line.strip(),), name=f"line {number}")


def check_size(path: Path, limit: int = MAX_TABLE_BYTES) -> None:
    """Raises DataError if a file is too large to be read into memory."""
    size = path.stat().st_size
    if size > limit:
        raise DataError(f"{path} has {size} bytes, the limit is {limit}; give a random few thousand of its samples.")


def read_rows(path: Path, _columns: Columns) -> Iterator[Row | Fault]:
    """The rows of a table, and what is none; raises DataError if it cannot be read."""
    match path.suffix.lower():
        case ".jsonl":
            return _read(path, _json_rows)
        case ".tsv":
            return _read(path, lambda lines: _delimited(lines, "\t"))
        case _:
            return _read(path, lambda lines: _delimited(lines, ","))


def _read(path: Path, rows: Callable[[TextIO], Iterator[Any]]) -> Iterator[Any]:
    try:
        check_size(path)
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from rows(lines)
    except (ValueError, csv.Error) as error:  # UnicodeDecodeError is a ValueError
        raise DataError(f"{path} cannot be read as {path.suffix.lower()} in UTF-8: {error}.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _numbered(lines: TextIO) -> Iterator[tuple[int, str]]:
    return enumerate(lines, 1)


def _delimited(lines: TextIO, delimiter: str) -> Iterator[Row | Fault]:
    rows = csv.DictReader(lines, delimiter=delimiter)
    names = list(rows.fieldnames or ())
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"its first line names the column '{twice[0]}' {names.count(twice[0])} times")
    for cells in rows:
        name = f"line {rows.line_num}"
        if None in cells:
            yield Fault(
                name, f"has {len(cells) - 1 + len(cells[None])} cells, but the first line names {len(cells) - 1}"
            )
        else:
            yield Row(name, cells)


def _json_rows(lines: TextIO) -> Iterator[Row | Fault]:
    for number, line in _numbered(lines):
        if not line.strip():
            continue
        name = f"line {number}"
        try:
            cells = json.loads(line)
        except json.JSONDecodeError as error:  # whose own line is that of this line
            yield Fault(name, f"is no JSON ({error.msg} at character {error.colno})")
            continue
        except (ValueError, RecursionError) as error:
            yield Fault(name, f"is no JSON ({error})")
            continue
        yield Row(name, cells) if isinstance(cells, Mapping) else Fault(name, f"is no JSON object, but {line.strip()}")
