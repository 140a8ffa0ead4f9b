"""Reads arrays in a GPU's memory through the interface that CuPy, PyTorch and Numba share."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike


class CudaArray(NamedTuple):
    """What `__cuda_array_interface__` says of an array; strides are in bytes."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]
    read_only: bool

    def is_c_contiguous(self) -> bool:
        """Whether elements lie one after the other; the stride of an axis of length one does not matter."""
        expected = _contiguous_strides(self.shape, self.dtype.itemsize)
        return all(
            length == 1 or stride == wanted
            for length, stride, wanted in zip(self.shape, self.strides, expected, strict=True)
        )


def read_cuda_array(array: object, expected: str, *, dimensions: int, dtype: DTypeLike) -> CudaArray:
    """The interface's content; TypeError or ValueError, which begins with `expected`, if the array is another."""
    interface = getattr(array, "__cuda_array_interface__", None)
    if not isinstance(interface, dict):
        raise TypeError(f"{expected} with __cuda_array_interface__, got {type(array).__name__}")
    try:
        shape = tuple(int(length) for length in interface["shape"])
        found = np.dtype(interface["typestr"])
        address, read_only = interface["data"]
        strides = interface.get("strides")
        strides = _contiguous_strides(shape, found.itemsize) if strides is None else tuple(int(s) for s in strides)
        result = CudaArray(int(address), shape, strides, found, bool(read_only))
    except (KeyError, TypeError, ValueError) as error:
        raise TypeError(f"{expected}, got an invalid __cuda_array_interface__: {error!r}") from None
    if len(shape) != dimensions or len(strides) != dimensions or found != dtype:
        raise ValueError(f"{expected}, got {shape} {found}")
    if min(shape) <= 0:
        raise ValueError(f"{expected} and not empty, got {shape}")
    return result


def _contiguous_strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    strides: list[int] = []
    for length in reversed(shape):
        strides.insert(0, itemsize)
        itemsize *= length
    return tuple(strides)
