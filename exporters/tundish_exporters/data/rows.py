"""From the rows of a table to samples: the parts that the model reads, what is right, its slice and its group."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tundish.inputs import LISTS, read_list
from tundish.manifest import InputName
from tundish_exporters.data.faults import Fault, SampleError
from tundish_exporters.data.sample import Sample, encoded
from tundish_exporters.data.truth_columns import columns_of, read_truth
from tundish_exporters.data.truth_forms import TruthForm
from tundish_exporters.errors import DataError

_FILES = ("image", "page")
"""Parts that are files."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What is read of a table."""

    reads: Sequence[InputName]
    truth: TruthForm | None = None
    slice: str | None = None
    group: str | None = None

    @property
    def names(self) -> list[str]:
        """All that may be read."""
        truths = columns_of(self.truth) if self.truth else ()
        return list(dict.fromkeys([*self.needed, *truths]))

    @property
    def needed(self) -> list[str]:
        """What each row must have."""
        return [*self.reads, *(name for name in (self.slice, self.group) if name is not None)]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, and what it is called: a line of its file, or its number."""

    name: str
    cells: Mapping[str, Any]


def samples_of(path: Path, rows: Iterable[Row | Fault], columns: Columns) -> Iterator[Sample | Fault]:
    """A sample for each row, and a fault for each that gives none.

    Raises:
        DataError: no row has a column that each needs.
    """
    seen: dict[str, None] = {}
    for row in rows:
        if isinstance(row, Fault):
            yield row
            continue
        seen.update(dict.fromkeys(row.cells))
        try:
            yield _sample(path, row, columns)
        except SampleError as error:
            yield Fault(row.name, str(error))
    if seen:
        check_columns(path, list(seen), columns)


def check_columns(path: Path, there: Sequence[str], columns: Columns) -> None:
    """Raises DataError if a column that every row needs is not there."""
    for name in columns.needed:
        if name not in there:
            raise DataError(f"{path} must have a column '{name}' in every row, got {list(there)}.")


def _sample(path: Path, row: Row, columns: Columns) -> Sample:
    content = tuple(_content(path, name, row.cells.get(name)) for name in columns.reads)
    truth = read_truth(path, row.cells, columns.truth) if columns.truth else None
    return Sample(content, truth, _said(row, columns.slice), row.name, _said(row, columns.group))


def _said(row: Row, column: str | None) -> str | None:
    """What stands in a column that every row must fill; None if no column is asked for."""
    if column is None:
        return None
    value = row.cells.get(column)
    if value is None or value == "":
        raise SampleError(f"has nothing in the column '{column}'")
    return str(value)


def _content(path: Path, name: InputName, value: Any) -> Any:
    if name in LISTS:
        return _list(name, value)
    if name in _FILES:
        return _file(path, name, value)
    if not isinstance(value, str) or not value.strip():
        raise SampleError(f"has no text in the column '{name}'")
    return value


def _file(path: Path, name: InputName, value: Any) -> Path | bytes | NDArray[np.uint8]:
    """Its path, its bytes, or the pixels of an image."""
    if isinstance(value, Mapping):  # Hugging Face's datasets have either of these, or both
        value = value.get("bytes") or value.get("path")
    if isinstance(value, str) and value.strip():
        return path.parent / value
    if isinstance(value, bytes) and value:
        return value
    if isinstance(value, np.ndarray):
        if value.dtype == np.uint8 and value.ndim == 3 and value.shape[2] == 3 and value.size:
            return value
        raise SampleError(f"has no [height, width, 3] uint8 pixels in '{name}', but {list(value.shape)} {value.dtype}")
    raise SampleError(f"has no path in the column '{name}'")


def _list(name: InputName, value: Any) -> tuple[bytes, ...]:
    if isinstance(value, str):
        try:
            value = json.loads(value) if name == "prompts" else read_list(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, list) or not value:
        raise SampleError(f"has no list in the column '{name}'")
    try:
        return tuple(encoded(each if isinstance(each, str) else json.dumps(each)) for each in value)
    except (TypeError, DataError) as error:
        raise SampleError(f"has a list in the column '{name}' that cannot be read ({error})") from error
