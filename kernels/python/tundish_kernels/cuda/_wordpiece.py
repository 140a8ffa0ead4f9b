"""wordpiece on an NVIDIA GPU: texts of the host to padded batches in its memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tundish_kernels import _native
from tundish_kernels._arguments import as_integer
from tundish_kernels._pack import read_padding
from tundish_kernels._wordpiece import Side, read_options, read_texts, read_tokenizer
from tundish_kernels._wordpiece import WordPiece as HostWordPiece
from tundish_kernels.cuda._arguments import read_stream
from tundish_kernels.cuda._array import read_output
from tundish_kernels.cuda._device import Device, Workspace, read_device, read_workspace
from tundish_kernels.cuda._pack import address_of, read_optional_output


class TokenBatch(NamedTuple):
    """Padded rows, one for each text or pair: arrays in the GPU's memory, C-contiguous and apart from each other."""

    ids: object
    """`[batch, length]` int64 or int32."""
    mask: object | None
    """`[batch, length]` of the same dtype: 1 for a token, 0 for padding. May be None."""
    type_ids: object | None
    """`[batch, length]` of the same dtype: which part of the template a token is of. May be None."""
    lengths: object
    """`[batch] int32`: the tokens of each row, special ones included."""
    truncated: object
    """`[batch] bool`: whether tokens were left out."""


class WordPiece:
    """A tokenizer's tables in a GPU's memory (half a megabyte for BERT), only read, by any number of calls at a time.

    Waits until they have been copied; freeing them waits for the GPU.

    Args:
        device: The GPU; it is kept.
        tokenizer: The tokenizer; it is kept.

    Raises:
        TypeError: An argument is of the wrong type.
        RuntimeError: There is not so much memory.
    """

    def __init__(self, device: Device, tokenizer: HostWordPiece) -> None:
        self._native = _native.CudaWordPiece(read_device(device), read_tokenizer(tokenizer))


def wordpiece_workspace_bytes(texts: int, text_bytes: int, *, length: int) -> int:
    """The size of the workspace that `wordpiece_into` needs.

    It never falls as an argument grows, so that the most that can come are enough.

    Args:
        texts: How many; a pair is two.
        text_bytes: Of all of them, in UTF-8.
        length: Of the rows.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A number is negative or above 2^40.
    """
    return _native.cuda_wordpiece_workspace_bytes(
        _count(texts, "texts"), _count(text_bytes, "text_bytes"), _count(length, "length")
    )


def wordpiece_into(
    destination: TokenBatch,
    tokenizer: WordPiece,
    texts: Sequence[str | bytes],
    pairs: Sequence[str | bytes] | None = None,
    *,
    add_special_tokens: bool = True,
    maximum_tokens: int | None = None,
    side: Side = "right",
    pad_id: int = 0,
    pad_type_id: int = 0,
    pad_side: Side = "right",
    workspace: Workspace,
    stream: int,
) -> int:
    """Does what `tundish_kernels.wordpiece_into` and `pack_into` do together, on the GPU of the workspace.

    Ids, type ids and masks are those of the CPU forms to the bit; there are no offsets and no word ids, and pairs are
    truncated by longest_first alone. The GPU tokenizes texts of ASCII that hold no added token. The CPU tokenizes the
    others on the calling thread, without the GIL, before anything is launched, and their tokens go into their rows.

    One copy to the GPU and one launch on `stream`. No memory of the GPU is allocated. The call waits for nothing but
    the workspace's own previous copy, and cannot be part of a CUDA graph. The texts may go when it returns; arrays,
    workspace and tokenizer must stay until the work is done. Nothing is written if an argument is wrong.

    Args:
        destination: As many rows as texts; its length is how long a row may become.
        tokenizer: On the GPU of the workspace.
        texts: See `tundish_kernels.wordpiece`; at least one.
        pairs: See `tundish_kernels.wordpiece`.
        add_special_tokens: See `tundish_kernels.wordpiece`.
        maximum_tokens: Truncate to so many, special tokens included; by default to the length of the rows.
        side: Which end of a text is cut off.
        pad_id: See `tundish_kernels.pack`.
        pad_type_id: See `tundish_kernels.pack`.
        pad_side: The end of a row that is filled up.
        workspace: At least `wordpiece_workspace_bytes` of these texts.
        stream: The CUstream's number.

    Returns:
        How many of the texts the CPU has tokenized.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape, dtype or place in memory is not as said above, or a text is not UTF-8 (its index is
            named).
        RuntimeError: The driver refused, or work that was launched before has failed; the message says what.
    """
    first, second = read_texts(texts, pairs)
    options = read_options(add_special_tokens, maximum_tokens, "longest_first", side)
    if not isinstance(tokenizer, WordPiece):
        raise TypeError(f"tokenizer must be a cuda.WordPiece, got {type(tokenizer).__name__}")
    if not isinstance(destination, TokenBatch):
        raise TypeError(f"destination must be a TokenBatch, got {type(destination).__name__}")
    if len(first) == 0:
        raise ValueError("texts must be one or more, got none")
    ids = read_output(destination.ids, "destination.ids", (len(first), "length"), np.int64, np.int32)
    batch, length = ids.shape
    mask = read_optional_output(destination.mask, "destination.mask", ids)
    type_ids = read_optional_output(destination.type_ids, "destination.type_ids", ids)
    lengths = read_output(destination.lengths, "destination.lengths", (batch,), np.int32)
    truncated = read_output(destination.truncated, "destination.truncated", (batch,), np.bool_)
    return _native.cuda_wordpiece_into(
        (ids.address, address_of(mask), address_of(type_ids), lengths.address, truncated.address, batch, length),
        ids.dtype.itemsize,
        tokenizer._native,
        first,
        second,
        options,
        read_padding(pad_id, pad_type_id, pad_side, "pad_side"),
        read_workspace(workspace),
        read_stream(stream),
    )


def _count(value: object, name: str) -> int:
    number = as_integer(value, name)
    if not 0 <= number <= 2**40:
        raise ValueError(f"{name} must be between 0 and 2^40, got {number}")
    return number
