"""Tensors as raw contents of the Open Inference Protocol: little-endian, row-major, BYTES behind their lengths."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tundish.datatypes import NUMPY_DTYPES
from tundish.errors import InvalidInputError

Tensor = NDArray[Any]
RawContents = bytes | memoryview
"""Of one tensor; a view is a part of a larger body, which needs no copy of its own."""

MOST_TEXTS = 2**16
"""In a request's tensor of BYTES, and where numbers are asked for as text. Each is an object of Python's: a few
million, which may be a few megabytes of nothing, would hold everything else up for seconds."""

_DATATYPES = (*NUMPY_DTYPES, "BYTES")

_LENGTH = struct.Struct("<I")


def decode_tensor(name: str, datatype: str, shape: Sequence[int], raw: RawContents) -> Tensor:
    """The array of raw contents, BYTES as an object array; it shares memory with `raw` where that is aligned.

    Raises:
        InvalidInputError: the datatype is unknown, a size is negative, or the content does not match the shape.
    """
    check_tensor_header(name, datatype, shape)
    if datatype == "BYTES":
        elements = _split_bytes(name, raw, most=math.prod(shape))
        check_count(name, shape, len(elements))
        return shaped(name, shape, bytes_array(elements))
    dtype = NUMPY_DTYPES[datatype]
    expected = math.prod(shape) * dtype.itemsize
    if len(raw) != expected:
        raise InvalidInputError(
            f"Tensor '{name}' of {datatype} and shape {list(shape)} must have {expected} bytes, got {len(raw)}."
        )
    if datatype == "BOOL":
        # NumPy trusts a bool to be 0 or 1; the wire promises nothing.
        return shaped(name, shape, np.not_equal(np.frombuffer(raw, np.uint8), 0))
    # Behind a header of any length, numbers may lie anywhere: loops of engines may be wrong about those.
    return shaped(name, shape, np.require(np.frombuffer(raw, dtype), requirements=("ALIGNED",)))


def encode_tensor(array: Tensor) -> bytes:
    """The raw contents of an array; an object array must hold bytes."""
    if array.dtype == np.object_:
        return b"".join(part for element in array.flat for part in (_LENGTH.pack(len(element)), element))
    return array.tobytes()


def check_tensor_header(name: str, datatype: str, shape: Sequence[int]) -> None:
    """Raises InvalidInputError for an unknown datatype or a negative size."""
    if datatype not in _DATATYPES:
        raise InvalidInputError(
            f"Tensor '{name}' has the unknown datatype '{datatype}'; there are {', '.join(_DATATYPES)}."
        )
    if min(shape, default=0) < 0:
        raise InvalidInputError(f"Tensor '{name}' has a negative size in its shape {list(shape)}.")


def check_input_header(name: str, datatype: str, shape: Sequence[int]) -> None:
    """Raises InvalidInputError as `check_tensor_header` does, and for more than `MOST_TEXTS` elements of BYTES."""
    check_tensor_header(name, datatype, shape)
    if datatype == "BYTES" and math.prod(shape) > MOST_TEXTS:
        raise InvalidInputError(
            f"Tensor '{name}' of BYTES has the shape {list(shape)}, more than {MOST_TEXTS} elements; send fewer."
        )


def check_count(name: str, shape: Sequence[int], count: int) -> None:
    """Raises InvalidInputError unless the shape has this many elements."""
    expected = math.prod(shape)
    if count != expected:
        raise InvalidInputError(f"Tensor '{name}' of shape {list(shape)} must have {expected} elements, got {count}.")


def shaped(name: str, shape: Sequence[int], values: Tensor) -> Tensor:
    """The elements in their shape, which has as many; a size of 0 beside ones that no array can have is refused."""
    try:
        return values.reshape(tuple(shape))
    except (ValueError, OverflowError):
        raise InvalidInputError(f"Tensor '{name}' has the shape {list(shape)}, which is too large.") from None


def bytes_array(values: Sequence[bytes]) -> Tensor:
    """A one-dimensional object array of bytes; NumPy's own way would cut trailing zero bytes off."""
    array = np.empty(len(values), np.object_)
    array[:] = values
    return array


def _split_bytes(name: str, raw: RawContents, most: int) -> list[bytes]:
    """The elements, of more than `most` only one more."""
    elements: list[bytes] = []
    position = 0
    while position < len(raw) and len(elements) <= most:
        start = position + _LENGTH.size
        length = _LENGTH.unpack_from(raw, position)[0] if start <= len(raw) else 0
        if start + length > len(raw):
            raise InvalidInputError(
                f"Tensor '{name}' ends within element {len(elements)}: each element must follow its length in four "
                "little-endian bytes."
            )
        elements.append(bytes(raw[start : start + length]))
        position = start + length
    return elements
