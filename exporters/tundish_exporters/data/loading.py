"""Reads calibration and evaluation data, whatever their form."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tundish.manifest import InputName
from tundish_exporters.data.arrays import read_npz
from tundish_exporters.data.coco import read_coco
from tundish_exporters.data.faults import Fault, left_out
from tundish_exporters.data.folders import read_folder
from tundish_exporters.data.inspection import Seen, inspect
from tundish_exporters.data.parquet import read_parquet
from tundish_exporters.data.rows import Columns, Row, samples_of
from tundish_exporters.data.sample import Sample
from tundish_exporters.data.tables import read_lines, read_rows
from tundish_exporters.data.truth_forms import TruthForm
from tundish_exporters.errors import DataError
from tundish_exporters.progress import Progress, silent

_TABLES: dict[str, Callable[[Path, Columns], Iterator[Row | Fault]]] = {
    ".csv": read_rows,
    ".tsv": read_rows,
    ".jsonl": read_rows,
    ".parquet": read_parquet,
    ".npz": read_npz,
}
_TABLE_FORMS = ".csv, .tsv, .jsonl, .parquet or .npz"

SEED = 20
"""Of the order in which samples are drawn; any fixed number gives the same export twice."""


@dataclass(frozen=True, slots=True)
class LoadedData:
    """The samples of a folder or file, and what cannot be used of it."""

    path: Path
    seen: list[Seen]
    warnings: tuple[str, ...]

    @property
    def samples(self) -> list[Sample]:
        """Those that can be used."""
        return [each.sample for each in self.seen]


def load_samples(
    path: Path,
    reads: Sequence[InputName],
    *,
    truth: TruthForm | None = None,
    limit: int | None = None,
    slice_column: str | None = None,
    group_column: str | None = None,
    progress: Progress = silent,
) -> LoadedData:
    """All samples of a folder or file, in a fixed random order; at most `limit` of them. Each has been read once.

    Args:
        path: the folder or file.
        reads: the parts that the model reads.
        truth: the form of what is right for a sample; None leaves unread what the data say of that.
        limit: the most samples that are wanted.
        slice_column: the column of a table that tells samples apart.
        group_column: the column of a table that says which samples belong together.
        progress: called with how many samples were looked at.

    Raises:
        DataError: there are none, the file has not the columns that it needs, or too many samples cannot be used.
    """
    for column, use in ((slice_column, "slice"), (group_column, "group")):
        if column is not None and path.suffix.lower() not in _TABLES:
            raise DataError(f"{path} has no columns, and so no '{column}' to {use} by; give a {_TABLE_FORMS} file.")
    entries = _all_or_none(list(_entries(path, Columns(reads, truth, slice_column, group_column))))
    if not entries:
        raise DataError(f"{path} holds no {' and '.join(reads)}.")
    random.Random(SEED).shuffle(entries)
    seen, faults = inspect(entries, reads, limit=limit, progress=progress)
    return LoadedData(path, seen, left_out(path, faults, len(seen) + len(faults)))


def _all_or_none(entries: list[Sample | Fault]) -> list[Sample | Fault]:
    """Where some samples say what is right, those that do not cannot be used."""
    if not any(isinstance(entry, Sample) and entry.truth is not None for entry in entries):
        return entries
    return [
        Fault(entry.name, "does not say what is right, as others do")
        if isinstance(entry, Sample) and entry.truth is None
        else entry
        for entry in entries
    ]


def _entries(path: Path, columns: Columns) -> Iterator[Sample | Fault]:
    reads, suffix = tuple(columns.reads), path.suffix.lower()
    if path.is_dir():
        if reads != ("image",):
            raise DataError(f"{path} is a folder, which holds images; give {_forms(reads)}.")
        return read_folder(path, columns.truth)
    if not path.is_file():
        raise DataError(f"{path} is not there; give {_forms(reads)}.")
    if suffix in _TABLES:
        return samples_of(path, _TABLES[suffix](path, columns), columns)
    if suffix == ".txt" and reads == ("text",):
        return read_lines(path)
    if suffix == ".json" and reads == ("image",):
        return read_coco(path, columns.truth)
    raise DataError(f"{path} is no form of {' and '.join(reads)} data; give {_forms(reads)}.")


def _forms(reads: Sequence[InputName]) -> str:
    first: dict[tuple[str, ...], str] = {
        ("image",): "a folder of images, COCO's annotations as .json, or ",
        ("text",): "a .txt file with a text a line, or ",
    }
    return f"{first.get(tuple(reads), '')}a {_TABLE_FORMS} file"
