"""What operators on whole arrays check them with, so that a wrong one is named with its shape, dtype or strides."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike


def check_array(
    value: object, name: str, axes: Sequence[str | int], *dtypes: type[np.generic], ragged: bool = False
) -> None:
    """Refuses what is not a C-contiguous array of one of the dtypes with these axes.

    Args:
        value: What the caller gave.
        name: What the caller knows it by.
        axes: The name of each axis, or its length where that is known.
        dtypes: What its elements may be.
        ragged: Whether it may be empty, as the tokens of empty texts are.

    Raises:
        TypeError: It is not an array.
        ValueError: Its shape, dtype or layout is another, or it is empty.
    """
    # The usual case in a few steps, a third of a microsecond: some operators take no more than five.
    if type(value) is np.ndarray and value.dtype in dtypes and value.flags.carray and value.ndim == len(axes):
        shape = value.shape
        for index, axis in enumerate(axes):
            length = shape[index]
            if (length == 0 and not ragged) or (axis != length and type(axis) is int):
                break
        else:
            return
    expected = _check(value, name, axes, dtypes, ragged)
    assert isinstance(value, np.ndarray)
    if not (value.flags.c_contiguous and value.flags.aligned):
        raise ValueError(f"{expected} in aligned C order, got strides {value.strides}")


def check_strided(value: object, name: str, axes: Sequence[str | int], *dtypes: type[np.generic]) -> None:
    """Refuses what `check_array` refuses, but takes any aligned strides.

    Raises:
        TypeError: It is not an array.
        ValueError: Its shape or dtype is another, it is empty, or an element is not aligned.
    """
    expected = _check(value, name, axes, dtypes, False)
    assert isinstance(value, np.ndarray)
    if not value.flags.aligned:
        raise ValueError(f"{expected} and aligned, got strides {value.strides}")


def check_output(
    value: Any, name: str, axes: Sequence[str | int], *dtypes: type[np.generic], ragged: bool = False
) -> None:
    """Refuses what `check_array` refuses, and an array that is read-only.

    Raises:
        TypeError: It is not an array.
        ValueError: It is not as said, or read-only.
    """
    check_array(value, name, axes, *dtypes, ragged=ragged)
    if not value.flags.writeable:
        raise ValueError(f"{name} must be writable, got a read-only array")


def as_dtype(value: DTypeLike, *dtypes: type[np.generic]) -> np.dtype[Any]:
    """The dtype that the caller asked for.

    Raises:
        TypeError: It is no dtype.
        ValueError: It is none of these.
    """
    try:
        dtype = np.dtype(value)
    except TypeError:
        raise TypeError(f"dtype must be {_either(dtypes)}, got {value!r}") from None
    if dtype not in dtypes:
        raise ValueError(f"dtype must be {_either(dtypes)}, got {dtype}")
    return dtype


def _either(dtypes: Sequence[type[np.generic]]) -> str:
    return " or ".join(np.dtype(dtype).name for dtype in dtypes)


def _check(
    value: object, name: str, axes: Sequence[str | int], dtypes: Sequence[type[np.generic]], ragged: bool
) -> str:
    expected = f"{name} must be [{', '.join(map(str, axes))}] {_either(dtypes)}"
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{expected}, got {type(value).__name__}")
    fits = value.ndim == len(axes) and all(
        isinstance(axis, str) or axis == length for axis, length in zip(axes, value.shape, strict=True)
    )
    if not fits or value.dtype not in dtypes:
        raise ValueError(f"{expected}, got {value.shape} {value.dtype}")
    if value.size == 0 and not ragged:
        raise ValueError(f"{expected} and not empty, got {value.shape}")
    return expected
