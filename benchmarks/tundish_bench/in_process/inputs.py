"""What variants are measured on: the user's own inputs or made ones, and the batches that are made of them."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from tundish.bundle import Bundle
from tundish.datatypes import NUMPY_DTYPES
from tundish.engines import Arrays
from tundish.manifest import Manifest, TensorSpec
from tundish.placement.samples import made_inputs, read_inputs
from tundish.tasks.registry import load_task
from tundish_bench.errors import BenchmarkError

_MADE_ROWS = 16
_SEED = 21


@dataclass(frozen=True, slots=True)
class Inputs:
    """The items that every variant is given."""

    items: Sequence[Any]
    """As the model's task takes them; of a model that takes tensors, one row of each."""
    are_real: bool
    """Given by the user, so that what the model says of them means something."""

    def batches(self, bundle: Bundle, size: int) -> list[list[int]]:
        """Items of one shape, `size` at a time, by their numbers; a shape's last batch begins again with its first."""
        manifest = bundle.manifest
        if size > 1 and not manifest.takes_batches:
            raise BenchmarkError(f"'{manifest.model}' takes one item at a time, and no batch of {size}.")
        by_shape: dict[Any, list[int]] = defaultdict(list)
        task = load_task(manifest, bundle.directory) if manifest.takes_items else None
        for number, item in enumerate(self.items):
            by_shape[task.shape(task.prepare(item)) if task else _shapes(item)].append(number)
        return [
            list(islice(cycle(alike), start, start + size))
            for alike in by_shape.values()
            for start in range(0, len(alike), size)
        ]


def inputs_of(bundle: Bundle, path: Path | None) -> Inputs:
    """Those of the file or directory, or made ones.

    Raises:
        BundleError: the bundle does not fit its task.
        InvalidInputError: the model cannot read them.
        BenchmarkError: the tensors of a file are not the model's, or none can be made up.
    """
    if bundle.manifest.takes_items:
        return Inputs(made_inputs(bundle) if path is None else read_inputs(bundle, path), path is not None)
    rows = _made_rows(bundle.manifest) if path is None else _read_rows(bundle.manifest, path)
    return Inputs(rows, path is not None)


def _made_rows(manifest: Manifest) -> list[Arrays]:
    """Floats are normal, integers and booleans 0 or 1, which every vocabulary has."""
    random = np.random.default_rng(_SEED)
    rows: list[Arrays] = []
    for _ in range(_MADE_ROWS):
        row = {}
        for spec in manifest.request_inputs:
            free = [name for name in spec.shape[1:] if isinstance(name, str)]
            if free:
                raise BenchmarkError(
                    f"Input '{spec.name}' of '{manifest.model}' has the free dimension '{free[0]}', so that none can "
                    "be made up; give its inputs in an .npz file."
                )
            shape = (1, *(int(size) for size in spec.shape[1:]))
            dtype = np.dtype(NUMPY_DTYPES[spec.datatype])
            is_float = np.issubdtype(dtype, np.floating)
            row[spec.name] = (random.standard_normal(shape) if is_float else random.integers(0, 2, shape)).astype(dtype)
        rows.append(row)
    return rows


def _read_rows(manifest: Manifest, path: Path) -> list[Arrays]:
    specs = manifest.request_inputs
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError) as error:
        raise BenchmarkError(f"{path} must be an .npz file of the inputs of '{manifest.model}': {error}.") from None
    if arrays.keys() != {spec.name for spec in specs}:
        wanted = [spec.name for spec in specs]
        raise BenchmarkError(f"{path} holds {list(arrays)}, '{manifest.model}' takes {wanted}; give one array each.")
    counts = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise BenchmarkError(f"{path} must hold as many rows, one or more, of every input, got {counts}.")
    for spec in specs:
        _check(path, spec, arrays[spec.name].shape, arrays[spec.name].dtype)
    return [{name: array[row : row + 1] for name, array in arrays.items()} for row in range(max(counts.values()))]


def _check(path: Path, spec: TensorSpec, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    fits = len(shape) == len(spec.shape) and all(
        isinstance(said, str) or said == size for said, size in zip(spec.shape[1:], shape[1:], strict=True)
    )
    if not fits or dtype != NUMPY_DTYPES[spec.datatype]:
        raise BenchmarkError(
            f"Input '{spec.name}' must be {spec.datatype} of the shape {list(spec.shape)}, {path} has {dtype} of "
            f"{list(shape)}."
        )


def _shapes(row: Arrays) -> tuple[Any, ...]:
    return tuple((name, array.shape) for name, array in row.items())
