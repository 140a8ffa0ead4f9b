"""Samples in NumPy's `.npz`: an array for each part that the model reads."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tundish_exporters.data.rows import Columns, Row, check_columns
from tundish_exporters.data.tables import MAX_TABLE_BYTES
from tundish_exporters.errors import DataError


def read_npz(path: Path, columns: Columns) -> Iterator[Row]:
    """A row for each sample, from arrays of which each has a leading dimension of samples.

    Raises:
        DataError: it cannot be read, has not an array that it needs, or they are of different lengths.
    """
    arrays = read_arrays(path)
    check_columns(path, list(arrays), columns)
    wanted = {name: arrays[name] for name in columns.names if name in arrays}
    for number in range(count_samples(path, wanted)):
        yield Row(f"row {number + 1}", {name: _cell(name, array[number]) for name, array in wanted.items()})


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file by their names, without pickles; raises DataError if it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > MAX_TABLE_BYTES:
                raise DataError(f"{path} unpacks to {size} bytes, the limit is {MAX_TABLE_BYTES}; give fewer samples.")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except DataError:
        raise
    except Exception as error:  # NumPy and zipfile raise whatever they trip over
        raise DataError(f"{path} cannot be read as .npz without pickles: {error}.") from error


def count_samples(path: Path, arrays: dict[str, NDArray[Any]]) -> int:
    """The leading dimension of arrays; raises DataError if they have none in common."""
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    lengths = {shape[0] if shape else -1 for shape in shapes.values()}
    if len(lengths) != 1 or -1 in lengths:
        raise DataError(f"{path} must have as many samples in each array, got the shapes {shapes}.")
    return int(lengths.pop())


def _cell(name: str, value: Any) -> Any:
    """Pixels as they are; anything else as the tables of other forms have it."""
    return value if name == "image" else value.tolist()
