"""The Python forms of upsample_argmax, and the checks the native code cannot make: types and shapes."""

import operator

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tundish_kernels import _native
from tundish_kernels._arrays import as_dtype, check_array, check_output


def upsample_argmax(
    logits: NDArray[np.float32], size: tuple[int, int], *, dtype: DTypeLike = np.uint8
) -> NDArray[np.uint8] | NDArray[np.int32]:
    """The class of each pixel: logits interpolated to the image's size, then the greatest of each pixel.

    As `torch.nn.functional.interpolate(logits, size, mode="bilinear", align_corners=False).argmax(1)`, but without the
    array of all classes at this size. Labels can differ from it only where two classes are as good as equal: where
    they differ by what rounding in another order gives them, a few 2^-24 of their magnitude. The lowest of equal
    classes wins. NaN counts as below every number, while PyTorch puts it first; a pixel with nothing above -inf has
    the class 0.

    Args:
        logits: `[batch, classes, height, width] float32`, C-contiguous; only read.
        size: Height and width of the output in pixels, 1 to 65536 each; it may be smaller as well, without antialias.
        dtype: Of the labels, uint8 (up to 256 classes) or int32 (up to 65536).

    Returns:
        A new array `[batch, height, width]`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    check_array(logits, "logits", ("batch", "classes", "height", "width"), np.float32)
    try:
        height, width = (operator.index(extent) for extent in size)
    except (TypeError, ValueError):
        raise TypeError(f"size must be two integers (height, width), got {size!r}") from None
    most = _native.MAXIMUM_MASK_EXTENT
    if not (1 <= height <= most and 1 <= width <= most):
        raise ValueError(f"size must be between 1 and {most} each way, got {size!r}")
    destination = np.empty((len(logits), height, width), as_dtype(dtype, np.uint8, np.int32))
    upsample_argmax_into(destination, logits)
    return destination


def upsample_argmax_into(destination: NDArray[np.uint8] | NDArray[np.int32], logits: NDArray[np.float32]) -> None:
    """Does what `upsample_argmax` does, into an array of the caller's.

    Runs on the calling thread without the GIL. Scratch memory: 256 KiB, or 512 bytes a class where that is more, and
    20 bytes for each column of the destination. Nothing is written if an argument is wrong.

    Args:
        destination: `[batch, height, width]` uint8 or int32, C-contiguous, writable, apart from the logits.
        logits: See `upsample_argmax`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    check_array(logits, "logits", ("batch", "classes", "height", "width"), np.float32)
    check_output(destination, "destination", (len(logits), "height", "width"), np.uint8, np.int32)
    _native.upsample_argmax_into(destination, logits)
