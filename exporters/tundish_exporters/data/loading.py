"""Reads calibration and evaluation data, whatever their form."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tundish.manifest import InputName
from tundish_exporters.data.faults import Fault, left_out
from tundish_exporters.data.folders import read_folder
from tundish_exporters.data.rows import Columns
from tundish_exporters.data.sample import Sample
from tundish_exporters.data.tables import read_lines, read_table
from tundish_exporters.data.truth_forms import TruthForm
from tundish_exporters.errors import DataError

_TABLES = frozenset({".csv", ".tsv", ".jsonl"})

_SEED = 20
"""Of the order in which samples are drawn; any fixed number gives the same export twice."""


@dataclass(frozen=True, slots=True)
class LoadedData:
    """The samples of a folder or file, and what its owner should know of it."""

    samples: list[Sample]
    warnings: tuple[str, ...] = ()


def load_samples(
    path: Path,
    reads: Sequence[InputName],
    *,
    truth: TruthForm | None = None,
    limit: int | None = None,
    slice_column: str | None = None,
) -> LoadedData:
    """All samples of a folder or file, in a fixed random order; at most `limit` of them.

    Args:
        path: the folder or file.
        reads: the parts that the model reads.
        truth: the form of what is right for a sample; None leaves unread what the data say of that.
        limit: the most samples that are wanted.
        slice_column: the column of a table that tells samples apart.

    Raises:
        DataError: there are none, the file has not the columns that it needs, or too many samples cannot be used.
    """
    if slice_column is not None and path.suffix.lower() not in _TABLES:
        raise DataError(f"{path} has no columns, and so no '{slice_column}' to slice by; give a .csv, .tsv or .jsonl.")
    entries = list(_entries(path, Columns(reads, truth, slice_column)))
    if not entries:
        raise DataError(f"{path} holds no {' and '.join(reads)}.")
    random.Random(_SEED).shuffle(entries)
    samples: list[Sample] = []
    faults: list[Fault] = []
    for entry in entries:
        if limit is not None and len(samples) == limit:
            break
        if isinstance(entry, Fault):
            faults.append(entry)
        else:
            samples.append(entry)
    return LoadedData(samples, left_out(path, faults, len(samples) + len(faults)))


def _entries(path: Path, columns: Columns) -> Iterator[Sample | Fault]:
    reads = tuple(columns.reads)
    if path.is_dir():
        if reads != ("image",):
            forms = ".txt, .csv, .tsv or .jsonl" if len(reads) == 1 else ".csv, .tsv or .jsonl"
            raise DataError(f"{path} is a folder, texts come as a {forms} file.")
        return read_folder(path, columns.truth)
    if not path.is_file():
        raise DataError(f"{path} is not there; give a folder of images or a .txt, .csv, .tsv or .jsonl file.")
    suffix = path.suffix.lower()
    if suffix in _TABLES:
        return read_table(path, columns)
    if suffix == ".txt" and reads == ("text",):
        return read_lines(path)
    raise DataError(f"{path} is no form of {' and '.join(reads)} data; give {_forms(reads)}.")


def _forms(reads: Sequence[InputName]) -> str:
    first: dict[tuple[str, ...], str] = {
        ("image",): "a folder of images, or ",
        ("text",): "a .txt file with a text a line, or ",
    }
    return f"{first.get(tuple(reads), '')}a .csv, .tsv or .jsonl file"
