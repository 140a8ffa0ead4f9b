"""The check of an array argument; its sentence is put together only if it is needed."""

from __future__ import annotations

from typing import Any

import numpy as np

INT32, INT64, BOOL = np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.bool_)


def check_array(
    array: object, name: str, shape: tuple[int | str, ...], *dtypes: np.dtype[Any], writable: bool = False
) -> None:
    """Refuses all but a C-contiguous array of this shape (a word stands for any extent) and one of the dtypes.

    Raises:
        TypeError: It is not an array.
        ValueError: Anything else is not so.
    """
    fits = (
        isinstance(array, np.ndarray)
        and array.dtype in dtypes
        and array.ndim == len(shape)
        and all(want == got or isinstance(want, str) for want, got in zip(shape, array.shape, strict=True))
    )
    if fits:
        assert isinstance(array, np.ndarray)
        flags = array.flags
        if flags.c_contiguous and flags.aligned and (flags.writeable or not writable):
            return
    expected = f"{name} must be [{', '.join(map(str, shape))}] {' or '.join(map(str, dtypes))}"
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{expected}, got {type(array).__name__}")
    if not fits:
        raise ValueError(f"{expected}, got {array.shape} {array.dtype}")
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise ValueError(f"{expected} in aligned C order, got strides {array.strides}")
    raise ValueError(f"{expected} and writable, got a read-only array")
