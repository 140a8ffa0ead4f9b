"""The Python forms of softmax_top_k, and the checks the native code cannot make: types and shapes."""

from typing import Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tundish_kernels import _native
from tundish_kernels._arguments import as_integer
from tundish_kernels._arrays import check_array, check_output

ScoreFunction = Literal["softmax", "sigmoid", "none"]


def softmax_top_k(
    logits: NDArray[np.float32],
    k: int,
    *,
    function: ScoreFunction = "softmax",
    dtype: DTypeLike = np.int64,
) -> tuple[NDArray[np.int64] | NDArray[np.int32], NDArray[np.float32]]:
    """The classes with the highest logits, and their scores.

    Equal logits keep the order of their classes; NaN ranks below every number. A row with a NaN or an infinity
    above, or of negative infinities alone, has no softmax: its scores are NaN, and its order is that of the logits.

    Args:
        logits: `[batch, classes] float32`, C-contiguous; only read.
        k: How many classes to give of each row, 1 to classes.
        function: `softmax` over the row, `sigmoid` of each logit, or `none`: the logit itself.
        dtype: Of the indices, int64 or int32.

    Returns:
        Two new arrays, `[batch, k]` each: the indices of the classes, highest first, and their scores in float32. The
        relative error of a softmax is below 2^-21 + 2^-24 |logit - max|; a sigmoid is within 3 units in the last
        place, and 0 below -88.72.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    check_array(logits, "logits", ("batch", "classes"), np.float32)
    batch, classes = logits.shape
    count = as_integer(k, "k")
    if not 1 <= count <= classes:
        raise ValueError(f"k must be between 1 and {classes}, got {count}")
    if dtype not in (np.int64, np.int32):
        raise ValueError(f"dtype must be int64 or int32, got {dtype!r}")
    indices = np.empty((batch, count), dtype)
    scores = np.empty((batch, count), np.float32)
    softmax_top_k_into((indices, scores), logits, function=function)
    return indices, scores


def softmax_top_k_into(
    destination: tuple[NDArray[np.int64] | NDArray[np.int32], NDArray[np.float32]],
    logits: NDArray[np.float32],
    *,
    function: ScoreFunction = "softmax",
) -> None:
    """Does what `softmax_top_k` does, into arrays of the caller's.

    Runs on the calling thread without the GIL. Scratch memory is 8 k bytes. Nothing is written if an argument is
    wrong.

    Args:
        destination: Indices, `[batch, k] int64` or `int32`, and scores, `[batch, k] float32`; C-contiguous, writable,
            apart from each other and from the logits.
        logits: See `softmax_top_k`.
        function: See `softmax_top_k`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    check_array(logits, "logits", ("batch", "classes"), np.float32)
    try:
        indices, scores = destination
    except (TypeError, ValueError):
        raise TypeError(f"destination must be two arrays (indices, scores), got {destination!r}") from None
    check_output(indices, "indices", (len(logits), "k"), np.int64, np.int32)
    check_output(scores, "scores", (len(logits), indices.shape[1]), np.float32)
    if not isinstance(function, str):
        raise TypeError(f"function must be a string, got {function!r}")
    _native.softmax_top_k_into(indices, scores, logits, function)
