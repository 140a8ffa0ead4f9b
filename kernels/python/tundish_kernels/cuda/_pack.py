"""pack on an NVIDIA GPU."""

import numpy as np

from tundish_kernels import _native
from tundish_kernels._pack import Side, read_padding
from tundish_kernels.cuda._arguments import read_stream
from tundish_kernels.cuda._array import CudaArray, read_array, read_output
from tundish_kernels.cuda._device import Device, read_device


def pack_into(
    destination: tuple[object, object | None, object | None],
    ids: object,
    starts: object,
    type_ids: object | None = None,
    *,
    pad_id: int = 0,
    pad_type_id: int = 0,
    side: Side = "right",
    device: Device,
    stream: int,
) -> None:
    """Does what `tundish_kernels.pack_into` does, on a GPU.

    One launch on `stream`; no memory is allocated, and nothing is waited for. So nobody looks at `starts` before: of a
    row with more tokens than the destination is long the first ones are taken, and starts that do not ascend from 0 to
    the number of tokens give rows of any tokens, but nothing beside the arrays is read or written. Nothing is written
    if an argument is wrong.

    Args:
        destination: Ids, mask or None, and type ids, which are None exactly if there are no `type_ids`:
            `[batch, length]` each, int64 or int32, in the GPU's memory; C-contiguous, apart from each other and from
            the tokens.
        ids: `[tokens] int32` in the GPU's memory, C-contiguous.
        starts: `[batch + 1] int64` in the GPU's memory: the tokens of row i are those from `starts[i]` up to
            `starts[i + 1]`.
        type_ids: `[tokens] int32` in the GPU's memory, C-contiguous.
        pad_id: See `tundish_kernels.pack`.
        pad_type_id: See `tundish_kernels.pack`.
        side: See `tundish_kernels.pack`.
        device: The GPU.
        stream: The CUstream's number.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape, dtype or place in memory is not as said above.
        RuntimeError: The driver refused; the message says what.
    """
    try:
        to_ids, to_mask, to_type_ids = destination
    except (TypeError, ValueError):
        raise TypeError(f"destination must be three arrays (ids, mask, type_ids), got {destination!r}") from None
    tokens = read_array(ids, "ids", ("tokens",), np.int32)
    types = None if type_ids is None else read_array(type_ids, "type_ids", tokens.shape, np.int32)
    output = read_output(to_ids, "destination.ids", ("batch", "length"), np.int64, np.int32)
    mask = read_optional_output(to_mask, "destination.mask", output)
    output_types = read_optional_output(to_type_ids, "destination.type_ids", output)
    if (types is None) != (output_types is None):
        raise ValueError("destination.type_ids must be there exactly if there are type_ids, got only one of them")
    batch, length = output.shape
    places = read_array(starts, "starts", (batch + 1,), np.int64)
    _native.cuda_pack_into(
        (output.address, address_of(mask), address_of(output_types), batch, length),
        output.dtype.itemsize,
        (tokens.address, address_of(types), places.address, tokens.shape[0]),
        read_padding(pad_id, pad_type_id, side, "side"),
        read_device(device),
        read_stream(stream),
    )


def read_optional_output(value: object | None, name: str, like: CudaArray) -> CudaArray | None:
    """An array of the same shape and dtype as another, if there is one.

    Raises:
        TypeError: It has no valid `__cuda_array_interface__`.
        ValueError: It is not such an array, or read-only.
    """
    return None if value is None else read_output(value, name, like.shape, like.dtype.type)


def address_of(array: CudaArray | None) -> int:
    """0 if there is none."""
    return 0 if array is None else array.address
