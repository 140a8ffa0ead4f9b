"""The Python forms of pool_normalize, and the checks the native code cannot make: types and shapes."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tundish_kernels import _native
from tundish_kernels._arrays import check_array, check_output

Pooling = Literal["mean", "cls", "max"]


def pool_normalize(
    tokens: NDArray[np.float32], mask: NDArray[Any], *, pooling: Pooling, normalize: bool
) -> NDArray[np.float32]:
    """One vector for each row of token vectors, scaled to length 1 if so wished.

    A row whose mask keeps nothing becomes zeros. What the mask leaves out is not read, so that it may be NaN; a NaN
    that it keeps makes its dimension NaN, and the whole vector if that is normalised.

    Args:
        tokens: `[batch, tokens, width] float32`, C-contiguous; only read.
        mask: `[batch, tokens]` int64, int32 or bool, C-contiguous: not 0 where a token counts.
        pooling: `mean` of the kept tokens' vectors, `cls`: the first of them, `max`: the greatest value of each
            dimension.
        normalize: Divide each vector by its Euclidean length, or by 1e-12 if that is greater, as
            `torch.nn.functional.normalize` does.

    Returns:
        A new array `[batch, width] float32`; a mean is within 2^-22 mean(|x|) of the exact one before it is
        normalised.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    check_array(tokens, "tokens", ("batch", "tokens", "width"), np.float32)
    destination = np.empty((tokens.shape[0], tokens.shape[2]), np.float32)
    pool_normalize_into(destination, tokens, mask, pooling=pooling, normalize=normalize)
    return destination


def pool_normalize_into(
    destination: NDArray[np.float32],
    tokens: NDArray[np.float32],
    mask: NDArray[Any],
    *,
    pooling: Pooling,
    normalize: bool,
) -> None:
    """Does what `pool_normalize` does, into an array of the caller's.

    Runs on the calling thread without the GIL. Scratch memory is 8 width bytes. Nothing is written if an argument is
    wrong.

    Args:
        destination: `[batch, width] float32`, C-contiguous, writable, apart from the other arrays.
        tokens: See `pool_normalize`.
        mask: See `pool_normalize`.
        pooling: See `pool_normalize`.
        normalize: See `pool_normalize`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    check_array(tokens, "tokens", ("batch", "tokens", "width"), np.float32)
    batch, length, width = tokens.shape
    check_array(mask, "mask", (batch, length), np.int64, np.int32, np.bool_)
    check_output(destination, "destination", (batch, width), np.float32)
    if not isinstance(pooling, str):
        raise TypeError(f"pooling must be a string, got {pooling!r}")
    if not isinstance(normalize, bool):
        raise TypeError(f"normalize must be True or False, got {normalize!r}")
    kept = mask.view(np.uint8) if mask.dtype == np.bool_ else mask
    _native.pool_normalize_into(destination, tokens, kept, pooling, normalize)
