"""The Python forms of run_length_encode and its inverse, with the checks the native code cannot make."""

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tundish_kernels import _native
from tundish_kernels._arguments import as_list
from tundish_kernels._arrays import check_array, check_output

_USUAL_CAPACITY = 8192
"""Bytes; the texts of most objects take a few hundred."""


class RunLengths(NamedTuple):
    """The texts of a batch of masks."""

    text: NDArray[np.uint8]
    """`[batch, capacity]`; what is behind a text is undefined."""
    lengths: NDArray[np.int64]
    """Of the texts in bytes, `[batch]`."""


def run_length_encode(masks: NDArray[Any]) -> list[bytes]:
    """Masks as COCO's compressed run lengths: the `counts` beside `"size": [height, width]`.

    Columns from left to right, each from top to bottom, as the lengths of alternating runs, the first of pixels that
    are 0. From the fourth on, a length is given by its difference to the one two before. Each number is cut, from its
    lowest bits, into pieces of five bits until the rest is the sign of the last; a piece is the character 48 + piece,
    + 32 if another follows.

    Args:
        masks: `[batch, height, width]` uint8 or bool, C-contiguous, up to 65535 each way; not 0 where the mask is.

    Returns:
        A text for each mask.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A shape or dtype is not as said above.
    """
    check_array(masks, "masks", ("batch", "height", "width"), np.uint8, np.bool_)
    lengths = np.empty(len(masks), np.int64)
    text = np.empty((len(masks), _USUAL_CAPACITY), np.uint8)
    _native.run_length_encode_into(text, lengths, masks.view(np.uint8))
    if lengths.max() > _USUAL_CAPACITY:
        text = np.empty((len(masks), int(lengths.max())), np.uint8)
        _native.run_length_encode_into(text, lengths, masks.view(np.uint8))
    return [row[:length].tobytes() for row, length in zip(text, lengths.tolist(), strict=True)]


def run_length_encode_into(destination: RunLengths, masks: NDArray[Any]) -> None:
    """Does what `run_length_encode` does, into arrays of the caller's.

    Runs on the calling thread without the GIL. Scratch memory is 8 bytes for each row of a mask. Nothing is written if
    an argument is wrong.

    Args:
        destination: See `RunLengths`; C-contiguous, writable, apart from each other and from the masks.
        masks: See `run_length_encode`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A shape or dtype is not as said above; or a text does not fit, of which the row then holds the
            beginning and `lengths` the length. No text is longer than 2 * height * width + 14.
    """
    check_array(masks, "masks", ("batch", "height", "width"), np.uint8, np.bool_)
    try:
        text, lengths = destination
    except (TypeError, ValueError):
        raise TypeError(f"destination must be RunLengths, got {destination!r}") from None
    check_output(text, "destination.text", (len(masks), "capacity"), np.uint8)
    check_output(lengths, "destination.lengths", (len(masks),), np.int64)
    _native.run_length_encode_into(text, lengths, masks.view(np.uint8))
    longest = int(lengths.max())
    if longest > text.shape[1]:
        raise ValueError(f"destination.text must have room for {longest} bytes a mask, got {text.shape[1]}")


def run_length_decode(texts: Sequence[bytes], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The masks of texts that `run_length_encode` or another writer of this format made.

    Args:
        texts: One a mask.
        size: Height and width of each mask, 1 to 65535.

    Returns:
        A new array `[len(texts), height, width] bool`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A text is not of a mask of this size.
    """
    texts = as_list(texts, "texts")
    try:
        height, width = (operator.index(extent) for extent in size)
    except (TypeError, ValueError):
        raise TypeError(f"size must be two integers (height, width), got {size!r}") from None
    most = _native.MAXIMUM_RUN_EXTENT
    if not (1 <= height <= most and 1 <= width <= most):
        raise ValueError(f"size must be between 1 and {most} each way, got {size!r}")
    destination = np.empty((len(texts), height, width), np.bool_)
    run_length_decode_into(destination, texts)
    return destination


def run_length_decode_into(destination: NDArray[Any], texts: Sequence[bytes]) -> None:
    """Does what `run_length_decode` does, into an array of the caller's.

    Runs on the calling thread without the GIL. Nothing is written if an argument is wrong.

    Args:
        destination: `[len(texts), height, width]` uint8 or bool, C-contiguous, writable.
        texts: See `run_length_decode`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A text is not of a mask of this size, or the destination is not as said above.
    """
    texts = as_list(texts, "texts")
    for index, text in enumerate(texts):
        if not isinstance(text, bytes):
            raise TypeError(f"texts[{index}] must be bytes, got {type(text).__name__}")
    if not texts:
        raise ValueError("texts must hold at least one text, got none")
    check_output(destination, "destination", (len(texts), "height", "width"), np.uint8, np.bool_)
    _native.run_length_decode_into(destination.view(np.uint8), texts)
