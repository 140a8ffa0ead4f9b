"""The Python forms of pack, and the checks the native code cannot make: types and shapes."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tundish_kernels import _native
from tundish_kernels._arguments import as_integer
from tundish_kernels._arrays import check_array, check_output

Side = Literal["left", "right"]


class Packed(NamedTuple):
    """A padded batch; arrays `[batch, length]` of one dtype, int32 or int64."""

    ids: NDArray[Any]
    mask: NDArray[Any] | None
    """1 for a token, 0 for padding."""
    type_ids: NDArray[Any] | None


def pack(
    ids: NDArray[np.int32],
    starts: NDArray[np.int64],
    type_ids: NDArray[np.int32] | None = None,
    *,
    length: int | None = None,
    multiple: int = 1,
    pad_id: int = 0,
    pad_type_id: int = 0,
    side: Side = "right",
    dtype: Any = np.int64,
) -> Packed:
    """Pads ragged tokens to one batch.

    Args:
        ids: `[tokens] int32`, as `wordpiece` gives them.
        starts: `[batch + 1] int64`: the tokens of row i are those from `starts[i]` up to `starts[i + 1]`.
        type_ids: `[tokens] int32`; without them the result has none.
        length: Of the rows; by default the most tokens of a row.
        multiple: The length is rounded up to a multiple of this, so that few lengths occur.
        pad_id: What ids are filled up with.
        pad_type_id: What type ids are filled up with.
        side: The end of a row that is filled up.
        dtype: int64 or int32.

    Returns:
        New arrays, the mask included.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above, or a row has more tokens than `length`.
    """
    _check_tokens(ids, starts, type_ids)
    step = as_integer(multiple, "multiple")
    if step < 1:
        raise ValueError(f"multiple must be at least 1, got {step}")
    longest = int(np.diff(starts).max(initial=0)) if length is None else as_integer(length, "length")
    if longest < 0:
        raise ValueError(f"length must not be negative, got {longest}")
    shape = (len(starts) - 1, -(-longest // step) * step)
    kind = np.dtype(dtype)
    if kind not in (np.int32, np.int64):
        raise ValueError(f"dtype must be int64 or int32, got {kind}")
    made = Packed(np.empty(shape, kind), np.empty(shape, kind), None if type_ids is None else np.empty(shape, kind))
    pack_into(made, ids, starts, type_ids, pad_id=pad_id, pad_type_id=pad_type_id, side=side)
    return made


def pack_into(
    destination: Packed,
    ids: NDArray[np.int32],
    starts: NDArray[np.int64],
    type_ids: NDArray[np.int32] | None = None,
    *,
    pad_id: int = 0,
    pad_type_id: int = 0,
    side: Side = "right",
) -> None:
    """Does what `pack` does, into arrays of the caller's; `destination.mask` may be None.

    Runs on the calling thread without the GIL and allocates nothing. Nothing is written if an argument is wrong.

    Args:
        destination: `[batch, length]` each, int32 or int64, C-contiguous, writable, apart from each other and from the
            tokens; `type_ids` exactly if there are some.
        ids: See `pack`.
        starts: See `pack`.
        type_ids: See `pack`.
        pad_id: See `pack`.
        pad_type_id: See `pack`.
        side: See `pack`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above, or a row has more tokens than the arrays are long.
    """
    if not isinstance(destination, Packed):
        raise TypeError(f"destination must be Packed, got {type(destination).__name__}")
    padding = read_padding(pad_id, pad_type_id, side, "side")
    try:
        _native.pack_into(*destination, ids, type_ids, starts, *padding)
    except (TypeError, ValueError):
        # The native code refuses whatever is wrong; to say what it is takes longer than a small batch.
        _check_tokens(ids, starts, type_ids)
        _check_destination(destination, len(starts) - 1, type_ids is not None)
        raise


def read_padding(pad_id: object, pad_type_id: object, side: object, name: str) -> tuple[int, int, bool]:
    """What a row is filled up with, and whether that is at its left; `name` is what the caller calls the side.

    Raises:
        TypeError: An id is not an integer.
        ValueError: An id does not fit in 32 bits, or the side is not left or right.
    """
    if side not in ("left", "right"):
        raise ValueError(f"{name} must be left or right, got {side!r}")
    return _as_int32(pad_id, "pad_id"), _as_int32(pad_type_id, "pad_type_id"), side == "left"


def _check_tokens(ids: NDArray[np.int32], starts: NDArray[np.int64], type_ids: NDArray[np.int32] | None) -> None:
    check_array(ids, "ids", ("tokens",), np.int32, ragged=True)
    check_array(starts, "starts", ("batch + 1",), np.int64, ragged=True)
    if len(starts) == 0:
        raise ValueError("starts must be [batch + 1] int64, got (0,) int64")
    if type_ids is not None:
        check_array(type_ids, "type_ids", (len(ids),), np.int32, ragged=True)


def _check_destination(destination: Packed, batch: int, has_type_ids: bool) -> None:
    ids, mask, type_ids = destination
    check_output(ids, "destination.ids", (batch, "length"), np.int64, np.int32, ragged=True)
    if mask is not None:
        check_output(mask, "destination.mask", ids.shape, ids.dtype.type, ragged=True)
    if (type_ids is not None) != has_type_ids:
        raise ValueError("destination.type_ids must be there exactly if there are type_ids, got only one of them")
    if type_ids is not None:
        check_output(type_ids, "destination.type_ids", ids.shape, ids.dtype.type, ragged=True)


def _as_int32(value: object, name: str) -> int:
    number = as_integer(value, name)
    if not -(2**31) <= number < 2**31:
        raise ValueError(f"{name} must fit in 32 bits, got {number}")
    return number
