"""run_length_encode on an NVIDIA GPU."""

import numpy as np

from tundish_kernels import _native
from tundish_kernels.cuda._arguments import read_between, read_stream
from tundish_kernels.cuda._array import read_array, read_output
from tundish_kernels.cuda._device import Workspace, read_workspace

_MOST_MASKS = 65535


def run_length_encode_workspace_bytes(batch: int, height: int, width: int) -> int:
    """The size of the workspace with which `run_length_encode_into` takes such masks.

    A bit for each pixel, columns filled up to 32 rows. It never falls as a number grows.

    Args:
        batch: Masks, 1 to 65535.
        height: Of each in pixels, 1 to 65535.
        width: Of each in pixels, 1 to 65535.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A number is outside its range.
    """
    return _native.cuda_run_length_encode_workspace_bytes(
        read_between(batch, "batch", 1, _MOST_MASKS),
        read_between(height, "height", 1, _native.MAXIMUM_RUN_EXTENT),
        read_between(width, "width", 1, _native.MAXIMUM_RUN_EXTENT),
    )


def run_length_encode_into(
    destination: tuple[object, object], masks: object, *, workspace: Workspace, stream: int
) -> None:
    """Does what `tundish_kernels.run_length_encode_into` does, on the GPU of the workspace.

    Two launches on `stream`, the second with one block for each mask; no memory is allocated, and nothing is waited
    for. So a text that does not fit raises nothing: its row holds its beginning, and its length is above the capacity.
    No text is longer than 2 * height * width + 14. Nothing is written if an argument is wrong.

    Args:
        destination: Text, `[batch, capacity] uint8`, and lengths, `[batch] int64`, in the GPU's memory; C-contiguous,
            apart from each other and from the masks.
        masks: `[batch, height, width]` uint8 or bool in the GPU's memory, C-contiguous; 65535 masks at most, up to
            65535 each way.
        workspace: At least `run_length_encode_workspace_bytes`.
        stream: The CUstream's number.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape, dtype or place in memory is not as said above.
        RuntimeError: The driver refused; the message says what.
    """
    read = read_array(masks, "masks", ("batch", "height", "width"), np.uint8, np.bool_)
    batch, height, width = read.shape
    try:
        text, lengths = destination
    except (TypeError, ValueError):
        raise TypeError(f"destination must be two arrays (text, lengths), got {destination!r}") from None
    read_text = read_output(text, "destination.text", (batch, "capacity"), np.uint8)
    read_lengths = read_output(lengths, "destination.lengths", (batch,), np.int64)
    _native.cuda_run_length_encode_into(
        read_text.address,
        read_lengths.address,
        read_text.shape[1],
        (read.address, batch, height, width),
        read_workspace(workspace),
        read_stream(stream),
    )
