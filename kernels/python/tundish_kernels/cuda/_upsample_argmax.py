"""upsample_argmax on an NVIDIA GPU."""

import numpy as np

from tundish_kernels import _native
from tundish_kernels.cuda._arguments import read_stream
from tundish_kernels.cuda._array import read_array, read_output
from tundish_kernels.cuda._device import Device, read_device


def upsample_argmax_into(destination: object, logits: object, *, device: Device, stream: int) -> None:
    """Does what `tundish_kernels.upsample_argmax_into` does, on a GPU.

    One launch on `stream`; no memory is allocated, and nothing is waited for. Nothing is written if an argument is
    wrong.

    Args:
        destination: `[batch, height, width]` uint8 or int32 in the GPU's memory, C-contiguous, apart from the logits.
        logits: `[batch, classes, height, width] float32` in the GPU's memory, C-contiguous; 65535 images at most.
        device: The GPU.
        stream: The CUstream's number.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape, dtype or place in memory is not as said above.
        RuntimeError: The driver refused; the message says what.
    """
    read = read_array(logits, "logits", ("batch", "classes", "height", "width"), np.float32)
    batch, classes, source_height, source_width = read.shape
    labels = read_output(destination, "destination", (batch, "height", "width"), np.uint8, np.int32)
    _, height, width = labels.shape
    _native.cuda_upsample_argmax_into(
        labels.address,
        labels.dtype.itemsize,
        (height, width),
        (read.address, batch, classes, source_height, source_width),
        read_device(device),
        read_stream(stream),
    )
