"""Calibration by a network's own inputs, in `.npz`: by their names, each with a leading dimension of samples."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tundish.datatypes import NUMPY_DTYPES
from tundish.engines import Arrays
from tundish.manifest import InputName, TensorSpec
from tundish_exporters.data.arrays import count_samples, read_arrays
from tundish_exporters.data.inspection import DIGEST_BYTES, Seen
from tundish_exporters.data.loading import SEED, LoadedData
from tundish_exporters.data.sample import Sample
from tundish_exporters.errors import DataError


def has_network_inputs(path: Path, reads: Sequence[InputName]) -> bool:
    """Whether a file has arrays, and none of them is a part that the model reads."""
    return path.suffix.lower() == ".npz" and path.is_file() and not set(reads) & set(read_arrays(path))


def load_network_inputs(path: Path, *, limit: int) -> LoadedData:
    """At most `limit` samples in a fixed random order, of which the content is one batch of one sample.

    Raises:
        DataError: it cannot be read, there are none, or a number is not finite.
    """
    arrays = read_arrays(path)
    count = count_samples(path, arrays)
    if not count:
        raise DataError(f"{path} holds no samples.")
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"{path} has NaN or an infinity in '{name}'; leave such samples out.")
    order = list(range(count))
    random.Random(SEED).shuffle(order)
    samples = []
    for number in order[:limit]:
        batch = {name: array[number : number + 1] for name, array in arrays.items()}
        samples.append(Seen(Sample((batch,), name=f"row {number + 1}"), _digest(batch), is_flat=False))
    return LoadedData(path, samples, ())


def check_network_inputs(path: Path, batch: Arrays, inputs: Sequence[TensorSpec]) -> None:
    """Raises DataError if arrays are not those that the network takes."""
    names_fit = set(batch) == {each.name for each in inputs}
    if not names_fit or not all(_fits(batch[each.name], each) for each in inputs):
        given = [_shown(name, array.dtype, array.shape) for name, array in batch.items()]
        wanted = [_shown(each.name, NUMPY_DTYPES[each.datatype], each.shape) for each in inputs]
        raise DataError(f"A sample of {path} is {', '.join(given)}, and the network takes {', '.join(wanted)}.")


def _fits(array: NDArray[np.generic], spec: TensorSpec) -> bool:
    if array.dtype != NUMPY_DTYPES[spec.datatype] or array.ndim != len(spec.shape):
        return False
    return all(said in (size, str(said)) for said, size in zip(spec.shape, array.shape, strict=True))


def _shown(name: str, dtype: np.dtype[np.generic], shape: Sequence[int | str]) -> str:
    return f"{name} {dtype} [{', '.join(map(str, shape))}]"


def _digest(batch: Arrays) -> bytes:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for name in sorted(batch):
        digest.update(np.ascontiguousarray(batch[name]).tobytes())
    return digest.digest()
