"""What is asked: tensors for a model's inputs, from files or made up.

A server says of an input its name, datatype and shape. Elements of BYTES are whole images or texts to tundish's
pipelines, whose inputs are called so; to another server they are what the user gives.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tundish.datatypes import NUMPY_DTYPES, datatype_of
from tundish.placement.samples import made_photograph
from tundish.tensors import Tensor, bytes_array
from tundish_bench.driving.questions import Contents
from tundish_bench.errors import BenchmarkError
from tundish_exporters.data.folders import IMAGE_SUFFIXES

MADE = 32
"""How many requests are made up, so that no cache of a server has seen them all."""

_MOST_READ = 512
_MOST_BYTES = 10**9
"""Of numbers in a request that is made up, and in all of them together, but two there are; gRPC takes twice that."""
_MADE_SIDE = 512
_MADE_WORDS = 24
_SEED = 20
_IMAGE_INPUTS = ("image", "page")


@dataclass(frozen=True, slots=True)
class ModelInput:
    """What a server says of an input of a model."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    """-1 where any size may be."""

    def rows(self, batch: int) -> int:
        """The first size of a request: the batch where the server leaves it open, else the one that it says."""
        return self.shape[0] if self.knows_no_batches else batch

    @property
    def knows_no_batches(self) -> bool:
        """Whether the server says the first size, which is then no number of items."""
        return bool(self.shape) and self.shape[0] >= 0

    def is_whole(self, item: Tensor) -> bool:
        """Whether an item is a request by itself, of a model that knows no batches."""
        fits = len(item.shape) == len(self.shape) and all(
            said in (-1, size) for said, size in zip(self.shape, item.shape, strict=True)
        )
        return self.knows_no_batches and fits


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How requests are to be made."""

    batch: int = 1
    """Items in each request."""
    inputs: Path | None = None
    """A directory of images, a UTF-8 file with a text a line (several inputs with tabs between), or an .npz file with
    an array for each input, item by item along the first dimension."""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Of one item of an input, where the server leaves sizes open."""
    datatypes: Mapping[str, str] = field(default_factory=dict)
    """Of inputs that have a shape above, where the server does not say what a model takes."""

    @property
    def declared(self) -> tuple[ModelInput, ...]:
        """The inputs that the user says."""
        return tuple(ModelInput(name, kind, (-1, *self.shapes[name])) for name, kind in self.datatypes.items())


def make_contents(model_inputs: Sequence[ModelInput], wanted: Wanted) -> list[Contents]:
    """The requests to send in turn.

    Raises:
        BenchmarkError: the files do not fit the inputs, a shape is not known or is another than the server's, or a
            request is too large.
    """
    _check_shapes(model_inputs, wanted)
    _check_batch(model_inputs, wanted.batch)
    if wanted.inputs is None:
        return _made_up(model_inputs, wanted)
    if wanted.inputs.suffix == ".npz":
        items = _read_arrays(model_inputs, wanted.inputs)
    else:
        items = _read_bytes(model_inputs, wanted.inputs)
    taken = {each.name: 0 if each.is_whole(items[0][each.name]) else each.rows(wanted.batch) for each in model_inputs}
    # Fewer items than a batch has are taken again and again.
    size = max(1, *taken.values())
    turns = range(max(1, len(items) // size))
    batches = [[items[(turn * size + index) % len(items)] for index in range(size)] for turn in turns]
    return [{name: _rows([item[name] for item in batch], count) for name, count in taken.items()} for batch in batches]


def _rows(items: Sequence[Tensor], count: int) -> Tensor:
    """One tensor of the first items, or the first alone, which is a whole request, if none are counted."""
    try:
        return np.stack(items[:count]) if count else items[0]
    except ValueError:
        raise BenchmarkError(
            f"Items of different shapes do not fit into requests of {count}; leave --batch at 1, or give items of one "
            "shape."
        ) from None


def _read_arrays(model_inputs: Sequence[ModelInput], path: Path) -> list[Contents]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, EOFError, zipfile.BadZipFile):  # NumPy's words speak of pickles
        raise BenchmarkError(f"{path} is no .npz file of arrays of numbers or texts.") from None
    for each in model_inputs:
        array = found.get(each.name)
        if array is None:
            names = ", ".join(found) or "nothing"
            raise BenchmarkError(f"{path} has no array for the input '{each.name}'; it has {names}.")
        if array.ndim < 1 or not len(array):
            raise BenchmarkError(
                f"{path}: '{each.name}' has the shape {list(array.shape)}; its first dimension must count items."
            )
        if array.dtype.kind in "SU":
            array = np.char.encode(array, "utf-8") if array.dtype.kind == "U" else array
            found[each.name] = bytes_array([bytes(element) for element in array.flat]).reshape(array.shape)
        elif datatype_of(array.dtype) != each.datatype:
            raise BenchmarkError(
                f"{path}: '{each.name}' is {datatype_of(array.dtype)}, and the model takes {each.datatype}."
            )
    counts = {each.name: len(found[each.name]) for each in model_inputs}
    if len(set(counts.values())) > 1:
        said = " and ".join(f"{count} of '{name}'" for name, count in counts.items())
        raise BenchmarkError(f"{path} has {said}; give as many items of each input.")
    count = min(*counts.values(), _MOST_READ)
    return [{each.name: found[each.name][index] for each in model_inputs} for index in range(count)]


def _read_bytes(model_inputs: Sequence[ModelInput], path: Path) -> list[Contents]:
    numeric = [each.name for each in model_inputs if each.datatype != "BYTES"]
    if numeric:
        raise BenchmarkError(
            f"The input '{numeric[0]}' takes numbers; give --inputs an .npz file with an array for it."
        )
    images = [each.name for each in model_inputs if each.name in _IMAGE_INPUTS]
    try:
        if path.is_dir():
            files = _files(path)[:_MOST_READ]
            rows = [[file.read_bytes()] for file in files]
        else:
            lines = [line for line in path.read_text("utf-8").splitlines() if line][:_MOST_READ]
            rows = [_fields(line, model_inputs, images, path) for line in lines]
    except (OSError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{path} cannot be read: {error}.") from None
    if not rows:
        raise BenchmarkError(f"{path} holds nothing to ask; give files or lines.")
    if len(rows[0]) != len(model_inputs):
        names = " and ".join(each.name for each in model_inputs)
        raise BenchmarkError(
            f"The model takes {names}; give --inputs a file with a line for each request, tabs between."
        )
    return [{each.name: _elements(each, value) for each, value in zip(model_inputs, row, strict=True)} for row in rows]


def _files(directory: Path) -> list[Path]:
    """Its images alone, if it holds some: a README beside them is nothing to ask."""
    files = sorted(file for file in directory.iterdir() if file.is_file())
    return [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES] or files


def _fields(line: str, model_inputs: Sequence[ModelInput], images: Sequence[str], path: Path) -> list[bytes]:
    parts = line.split("\t") if len(model_inputs) > 1 else [line]
    if len(parts) != len(model_inputs):
        names = " and ".join(each.name for each in model_inputs)
        raise BenchmarkError(f"{path}: '{line[:40]}' must be {names} with tabs between.")
    return [
        (path.parent / part).read_bytes() if each.name in images else part.encode()
        for each, part in zip(model_inputs, parts, strict=True)
    ]


def _made_up(model_inputs: Sequence[ModelInput], wanted: Wanted) -> list[Contents]:
    generator = np.random.default_rng(_SEED)
    size = sum(_bytes_made(each, wanted) for each in model_inputs)
    if size > _MOST_BYTES:
        raise BenchmarkError(
            f"A request of such shapes has {size / 1e9:.3g} GB, more than the {_MOST_BYTES / 1e9:.3g} GB that are sent."
        )
    count = min(MADE // wanted.batch, _MOST_BYTES // max(1, size))
    return [{each.name: _made_tensor(each, wanted, generator) for each in model_inputs} for _ in range(max(2, count))]


def _bytes_made(model_input: ModelInput, wanted: Wanted) -> int:
    """Of an input of numbers in a request."""
    if model_input.datatype == "BYTES":
        return 0
    return model_input.rows(wanted.batch) * prod(_item_shape(model_input, wanted)) * _dtype(model_input).itemsize


def _dtype(model_input: ModelInput) -> np.dtype[Any]:
    dtype = NUMPY_DTYPES.get(model_input.datatype)
    if dtype is None:
        raise BenchmarkError(
            f"The input '{model_input.name}' is of {model_input.datatype}, which cannot be sent from here."
        )
    return np.dtype(dtype)


def _made_tensor(model_input: ModelInput, wanted: Wanted, generator: np.random.Generator) -> Tensor:
    rows = model_input.rows(wanted.batch)
    if model_input.datatype == "BYTES":
        make = _made_image if model_input.name in _IMAGE_INPUTS else _made_text
        return np.stack([_elements(model_input, make(generator)) for _ in range(rows)])
    shape = (rows, *_item_shape(model_input, wanted))
    dtype = _dtype(model_input)
    if dtype.kind == "f":
        return generator.standard_normal(shape).astype(dtype)
    if dtype == np.uint8:
        return generator.integers(0, 256, shape, dtype)
    return np.ones(shape, dtype)  # an id of a token, a mask and a length that any model takes


def _check_shapes(model_inputs: Sequence[ModelInput], wanted: Wanted) -> None:
    """Holds the sizes that the user says against those that the server says."""
    by_name = {each.name: each for each in model_inputs}
    for name, given in wanted.shapes.items():
        if name not in by_name:
            raise BenchmarkError(f"--shape is of '{name}', and the model takes {', '.join(by_name)}.")
        if not by_name[name].shape:  # which says nothing
            continue
        said = by_name[name].shape[1:]
        if len(given) != len(said) or any(-1 < size != other for size, other in zip(said, given, strict=True)):
            sizes = ", ".join("any" if size < 0 else str(size) for size in said)
            raise BenchmarkError(f"--shape of '{name}' is {list(given)}, and an item of it is [{sizes}] to the server.")
    for name, datatype in wanted.datatypes.items():
        if (known := by_name[name].datatype) != datatype:
            raise BenchmarkError(f"--shape says that '{name}' is {datatype}, and to the server it is {known}.")


def _check_batch(model_inputs: Sequence[ModelInput], batch: int) -> None:
    for each in model_inputs:
        if batch not in (1, each.rows(batch)):
            raise BenchmarkError(
                f"The server takes '{each.name}' as {list(each.shape)} alone, not in batches of {batch}; leave --batch "
                "at 1."
            )


def _item_shape(model_input: ModelInput, wanted: Wanted) -> tuple[int, ...]:
    given = wanted.shapes.get(model_input.name)
    shape = model_input.shape[1:] if given is None else given
    if any(size < 0 for size in shape):
        sizes = ", ".join("any" if size < 0 else str(size) for size in shape)
        raise BenchmarkError(
            f"The input '{model_input.name}' leaves sizes of an item open ({sizes}); give --shape "
            f"{model_input.name}:{','.join('8' if size < 0 else str(size) for size in shape)} or the like, or --inputs."
        )
    return shape


def _elements(model_input: ModelInput, value: bytes | Tensor) -> Tensor:
    """One item of BYTES: of the shape that the server says, which has one element."""
    if isinstance(value, np.ndarray):
        return value
    return bytes_array([value]).reshape((1,) * max(0, len(model_input.shape) - 1))


def _made_image(generator: np.random.Generator) -> bytes:
    return made_photograph(generator, _MADE_SIDE, _MADE_SIDE)


def _made_text(generator: np.random.Generator) -> bytes:
    words = [
        "".join(map(chr, generator.integers(ord("a"), ord("z") + 1, generator.integers(2, 9))))
        for _ in range(_MADE_WORDS)
    ]
    return " ".join(words).encode()
