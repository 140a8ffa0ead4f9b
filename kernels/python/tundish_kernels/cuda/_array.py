"""Reads arrays in a GPU's memory through the interface that CuPy, PyTorch and Numba share."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class CudaArray(NamedTuple):
    """What `__cuda_array_interface__` says of an array; strides are in bytes."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]
    read_only: bool


def read_array(value: object, name: str, axes: Sequence[str | int], *dtypes: type[np.generic]) -> CudaArray:
    """Reads a C-contiguous array of one of the dtypes with these axes, as `_arrays.check_array` does on the host.

    Args:
        value: What the caller gave.
        name: What the caller knows it by.
        axes: The name of each axis, or its length where that is known.
        dtypes: What its elements may be.

    Raises:
        TypeError: It has no valid `__cuda_array_interface__`.
        ValueError: Its shape, dtype or layout is another, or it is empty.
    """
    expected = _described(name, axes, dtypes)
    array = read_strided_array(value, name, axes, *dtypes)
    apart = not adjacent(array.shape, array.strides, array.dtype.itemsize)
    if apart or array.address % array.dtype.itemsize != 0:
        raise ValueError(f"{expected} in aligned C order, got strides {array.strides}")
    return array


def read_output(value: object, name: str, axes: Sequence[str | int], *dtypes: type[np.generic]) -> CudaArray:
    """Reads what `read_array` reads, and refuses an array that is read-only.

    Raises:
        TypeError: It has no valid `__cuda_array_interface__`.
        ValueError: It is not as said, or read-only.
    """
    array = read_array(value, name, axes, *dtypes)
    if array.read_only:
        raise ValueError(f"{name} must be writable, got a read-only array")
    return array


def read_strided_array(value: object, name: str, axes: Sequence[str | int], *dtypes: type[np.generic]) -> CudaArray:
    """Reads what `read_array` reads, whatever its strides.

    Raises:
        TypeError: It has no valid `__cuda_array_interface__`.
        ValueError: Its shape or dtype is another, or it is empty.
    """
    expected = _described(name, axes, dtypes)
    interface = getattr(value, "__cuda_array_interface__", None)
    if not isinstance(interface, dict):
        raise TypeError(f"{expected} with __cuda_array_interface__, got {type(value).__name__}")
    try:
        shape = tuple(int(length) for length in interface["shape"])
        dtype = np.dtype(interface["typestr"])
        address, read_only = interface["data"]
        strides = interface.get("strides")
        strides = _contiguous_strides(shape, dtype.itemsize) if strides is None else tuple(int(s) for s in strides)
        array = CudaArray(int(address), shape, strides, dtype, bool(read_only))
    except (KeyError, TypeError, ValueError) as error:
        raise TypeError(f"{expected}, got an invalid __cuda_array_interface__: {error!r}") from None
    fits = len(axes) == len(shape) == len(strides) and all(
        isinstance(axis, str) or axis == length for axis, length in zip(axes, shape, strict=True)
    )
    if not fits or dtype not in dtypes:
        raise ValueError(f"{expected}, got {shape} {dtype}")
    if min(shape) <= 0:
        raise ValueError(f"{expected} and not empty, got {shape}")
    return array


def adjacent(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> bool:
    """Whether elements with these strides follow each other without gaps, in C order."""
    wanted = _contiguous_strides(shape, itemsize)
    return all(length == 1 or a == b for length, a, b in zip(shape, strides, wanted, strict=True))


def _described(name: str, axes: Sequence[str | int], dtypes: Sequence[type[np.generic]]) -> str:
    elements = " or ".join(np.dtype(dtype).name for dtype in dtypes)
    return f"{name} must be [{', '.join(map(str, axes))}] {elements} in a GPU's memory"


def _contiguous_strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    strides: list[int] = []
    for length in reversed(shape):
        strides.insert(0, itemsize)
        itemsize *= length
    return tuple(strides)
