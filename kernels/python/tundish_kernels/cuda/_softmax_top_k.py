"""softmax_top_k on an NVIDIA GPU."""

import numpy as np

from tundish_kernels import _native
from tundish_kernels._softmax_top_k import ScoreFunction
from tundish_kernels.cuda._arguments import read_stream, read_string
from tundish_kernels.cuda._array import read_array, read_output
from tundish_kernels.cuda._device import Device, read_device


def softmax_top_k_into(
    destination: tuple[object, object],
    logits: object,
    *,
    function: ScoreFunction = "softmax",
    device: Device,
    stream: int,
) -> None:
    """Does what `tundish_kernels.softmax_top_k_into` does, on a GPU.

    One launch on `stream`; no memory is allocated, and nothing is waited for. A row is looked through k times: where
    k is large, sorting is faster. Nothing is written if an argument is wrong.

    Args:
        destination: Indices, `[batch, k] int64` or `int32`, and scores, `[batch, k] float32`, in the GPU's memory;
            C-contiguous, apart from each other and from the logits.
        logits: `[batch, classes] float32` in the GPU's memory, C-contiguous.
        function: See `tundish_kernels.softmax_top_k`.
        device: The GPU.
        stream: The CUstream's number.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape, dtype or place in memory is not as said above.
        RuntimeError: The driver refused; the message says what.
    """
    read = read_array(logits, "logits", ("batch", "classes"), np.float32)
    try:
        indices, scores = destination
    except (TypeError, ValueError):
        raise TypeError(f"destination must be two arrays (indices, scores), got {destination!r}") from None
    batch, classes = read.shape
    best = read_output(indices, "indices", (batch, "k"), np.int64, np.int32)
    best_scores = read_output(scores, "scores", (batch, best.shape[1]), np.float32)
    _native.cuda_softmax_top_k_into(
        best.address,
        best.dtype.itemsize,
        best_scores.address,
        best.shape[1],
        (read.address, batch, classes),
        read_string(function, "function"),
        read_device(device),
        read_stream(stream),
    )
