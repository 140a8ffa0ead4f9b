"""Reads calibration and evaluation data: folders of images, and tables of texts or of image paths.

| data | form |
|---|---|
| images | a folder, searched in depth; labelled if each image lies in a folder named by its label |
| texts | `.txt`, one a line |
| table | `.csv`, `.tsv` or `.jsonl` with a column for each part that the model reads, `label` if labelled |

Such a part is `image` or `page`, which are paths beside the file, or `text`, `text_pair`, `question`, `context` or
`query`; or `candidate_labels` and `prompts`, which in a `.jsonl` are lists; elsewhere labels have commas between, and
prompts are the JSON of their list.

A table may have a column of any name by which the accuracy is told apart: its slices.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tundish.inputs import LISTS, read_list
from tundish.manifest import InputName
from tundish.tasks import Item, ItemPart
from tundish_exporters.errors import DataError

_TABLES = frozenset({".csv", ".tsv", ".jsonl"})
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
_FILES = ("image", "page")
"""Parts that are files."""

_SEED = 20
"""Of the order in which samples are drawn; any fixed number gives the same export twice."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One item of data, with its label if it has one."""

    content: tuple[Any, ...]
    """A part for each that the model reads: a text, the path of a file, or what a component is asked about itself."""
    label: str | None
    slice: str | None = None
    """The group that it belongs to, if the data are told apart by one."""

    def read(self) -> Item:
        """As a request would carry it."""
        parts = self.parts()
        return parts if len(parts) > 1 else parts[0]

    def parts(self) -> tuple[Any, ...]:
        """Each as a request would carry it."""
        return tuple(_read(part) for part in self.content)

    def __str__(self) -> str:
        """For sentences about it."""
        return " | ".join(str(part) if isinstance(part, str | Path) else "made of another" for part in self.content)


def _read(part: Any) -> Any:
    if isinstance(part, str):
        return _encoded(part)
    if not isinstance(part, Path):
        return part
    try:
        return part.read_bytes()
    except OSError as error:
        raise DataError(f"The file {part} cannot be read: {error.strerror}.") from error


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise DataError("A text holds half a surrogate pair, which UTF-8 cannot carry.") from None


def load_samples(
    path: Path, reads: Sequence[InputName], *, limit: int | None = None, slice_column: str | None = None
) -> list[Sample]:
    """All samples of a folder or file, in a fixed random order; at most `limit` of them.

    `reads` are the parts that the model reads.

    Raises:
        DataError: there are none, or the file has not the columns that it needs.
    """
    if slice_column is not None and path.suffix.lower() not in _TABLES:
        raise DataError(f"{path} has no columns, and so no '{slice_column}' to slice by; give a .csv, .tsv or .jsonl.")
    if path.is_dir():
        if tuple(reads) != ("image",):
            forms = ".txt, .csv, .tsv or .jsonl" if len(reads) == 1 else ".csv, .tsv or .jsonl"
            raise DataError(f"{path} is a folder, texts come as a {forms} file.")
        samples = list(_folder(path))
    elif path.is_file():
        samples = list(_file(path, reads, slice_column))
    else:
        raise DataError(f"{path} is not there; give a folder of images or a .txt, .csv, .tsv or .jsonl file.")
    if not samples:
        raise DataError(f"{path} holds no {' and '.join(reads)}.")
    random.Random(_SEED).shuffle(samples)
    return samples[:limit]


def said_labels(samples: Sequence[Sample], path: Path) -> list[str]:
    """Each sample's label as it stands there; raises DataError if one has none."""
    labels = [sample.label for sample in samples if sample.label is not None]
    if len(labels) < len(samples):
        raise DataError(f"{path} has no labels; the gate needs a column 'label', or a folder for each label.")
    return labels


def label_indices(samples: Sequence[Sample], labels: Sequence[str], path: Path) -> list[int]:
    """The index of each sample's label among the model's; a label may also be given as that index.

    Raises:
        DataError: a sample has no label, or one that the model does not know.
    """
    known = {label: index for index, label in enumerate(labels)}
    indices = []
    for label in said_labels(samples, path):
        if label in known:
            indices.append(known[label])
        elif label.isascii() and label.isdigit() and int(label) < len(labels):
            indices.append(int(label))
        else:
            shown = ", ".join(f"'{name}'" for name in labels[:5]) + (", …" if len(labels) > 5 else "")
            raise DataError(f"{path} has the label '{label}', which the model does not know; it knows {shown}.")
    return indices


def _folder(path: Path) -> Iterator[Sample]:
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file():
            yield Sample((file,), file.parent.name if file.parent != path else None)


def _file(path: Path, reads: Sequence[InputName], slice_column: str | None) -> Iterator[Sample]:
    suffix = path.suffix.lower()
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            if suffix == ".txt" and tuple(reads) == ("text",):
                yield from (Sample((line.strip(),), None) for line in lines if line.strip())
            elif suffix in (".csv", ".tsv"):
                rows = csv.DictReader(lines, delimiter="\t" if suffix == ".tsv" else ",")
                yield from (_row(path, reads, row, slice_column) for row in rows)
            elif suffix == ".jsonl":
                yield from (_row(path, reads, json.loads(line), slice_column) for line in lines if line.strip())
            else:
                raise DataError(f"{path} is no form of {' and '.join(reads)} data; give {_forms(reads)}.")
    except (ValueError, RecursionError, csv.Error) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise DataError(f"{path} cannot be read as {suffix} in UTF-8: {error}.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _forms(reads: Sequence[InputName]) -> str:
    first: dict[tuple[str, ...], str] = {
        ("image",): "a folder of images, or ",
        ("text",): "a .txt file with a text a line, or ",
    }
    return f"{first.get(tuple(reads), '')}a .csv, .tsv or .jsonl file"


def _row(path: Path, reads: Sequence[InputName], row: Mapping[str, Any], slice_column: str | None) -> Sample:
    for name in reads:
        if name in LISTS and isinstance(row, Mapping) and isinstance(row.get(name), list):
            continue
        if not isinstance(row, Mapping) or not isinstance(row.get(name), str):
            columns = list(row) if isinstance(row, Mapping) else []
            raise DataError(f"{path} must have a column '{name}' in every row, got {columns}.")
    content = tuple(_content(path, name, row[name]) for name in reads)
    label, group = row.get("label"), None
    if slice_column is not None:
        group = row.get(slice_column)
        if group is None:
            raise DataError(f"{path} must have the column '{slice_column}' in every row, got {list(row)}.")
    return Sample(content, None if label is None else str(label), None if group is None else str(group))


def _content(path: Path, name: InputName, value: Any) -> str | Path | ItemPart:
    if name in LISTS:
        texts = value if isinstance(value, list) else json.loads(value) if name == "prompts" else read_list(value)
        return tuple(_encoded(text if isinstance(text, str) else json.dumps(text)) for text in texts)
    return path.parent / value if name in _FILES else str(value)
