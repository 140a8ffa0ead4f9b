"""pool_normalize on an NVIDIA GPU."""

import numpy as np

from tundish_kernels import _native
from tundish_kernels._pool_normalize import Pooling
from tundish_kernels.cuda._arguments import read_boolean, read_stream, read_string
from tundish_kernels.cuda._array import read_array, read_output
from tundish_kernels.cuda._device import Device, read_device


def pool_normalize_into(
    destination: object,
    tokens: object,
    mask: object,
    *,
    pooling: Pooling,
    normalize: bool,
    device: Device,
    stream: int,
) -> None:
    """Does what `tundish_kernels.pool_normalize_into` does, on a GPU.

    One launch on `stream`; no memory is allocated, and nothing is waited for. Nothing is written if an argument is
    wrong.

    Args:
        destination: `[batch, width] float32` in the GPU's memory, C-contiguous, apart from the other arrays.
        tokens: `[batch, tokens, width] float32` in the GPU's memory, C-contiguous.
        mask: `[batch, tokens]` int64, int32 or bool in the GPU's memory, C-contiguous: not 0 where a token counts.
        pooling: See `tundish_kernels.pool_normalize`.
        normalize: See `tundish_kernels.pool_normalize`.
        device: The GPU.
        stream: The CUstream's number.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape, dtype or place in memory is not as said above.
        RuntimeError: The driver refused; the message says what.
    """
    read = read_array(tokens, "tokens", ("batch", "tokens", "width"), np.float32)
    batch, length, width = read.shape
    kept = read_array(mask, "mask", (batch, length), np.int64, np.int32, np.bool_)
    output = read_output(destination, "destination", (batch, width), np.float32)
    _native.cuda_pool_normalize_into(
        output.address,
        (read.address, batch, length, width),
        kept.address,
        kept.dtype.itemsize,
        read_string(pooling, "pooling"),
        read_boolean(normalize, "normalize"),
        read_device(device),
        read_stream(stream),
    )
