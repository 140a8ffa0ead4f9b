"""Types of the compiled module (src/python/), which trusts the checks of the operators' Python forms."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAXIMUM_EXTENT: int
"""The greatest height or width of anything in a call, and the farthest offset of a window."""

def isa() -> str:
    """The instruction set that the kernels use.

    It is the fastest that this machine runs, or what TUNDISH_KERNELS_ISA names. The environment is read once.

    Raises:
        ValueError: TUNDISH_KERNELS_ISA names none of `available_isas()`.
    """

def available_isas() -> list[str]:
    """The instruction sets that TUNDISH_KERNELS_ISA may name on this machine, slowest first."""

def resize_normalize_into(
    destination: NDArray[np.float32],
    images: Sequence[NDArray[np.uint8]],
    windows: Sequence[tuple[int, int, int, int]],
    filter: str,  # noqa: A002
    scale: float,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    pad: int,
) -> None:
    """`tundish_kernels.resize_normalize_into` without its messages about types and shapes."""

def pack_into(
    ids: NDArray[Any],
    mask: NDArray[Any] | None,
    type_ids: NDArray[Any] | None,
    token_ids: NDArray[np.int32],
    token_type_ids: NDArray[np.int32] | None,
    starts: NDArray[np.int64],
    pad_id: int,
    pad_type_id: int,
    left: bool,
) -> None:
    """`tundish_kernels.pack_into` without its messages about types and shapes; of int32 or int64."""

class Texts:
    """The UTF-8 of strings and bytes, which it keeps alive.

    Raises:
        TypeError: One is neither; `name` and its index are named.
        ValueError: One holds a lone surrogate.
    """

    def __init__(self, texts: Iterable[str | bytes], name: str) -> None: ...
    def __len__(self) -> int: ...

class WordPieceOptions:
    """What applies to each text of a call; `maximum_tokens` -1 is any number."""

    def __init__(self, add_special_tokens: bool, maximum_tokens: int, strategy: str, truncate_left: bool) -> None: ...

class WordPiece:
    """The tables of a tokenizer."""

    def __init__(
        self,
        vocabulary: Sequence[tuple[str, int]],
        unknown_token: str,
        continuing_prefix: str,
        maximum_word_characters: int,
        clean_text: bool,
        split_chinese: bool,
        strip_accents: bool,
        lowercase: bool,
        added_tokens: Sequence[tuple[str, int, bool, bool, bool, bool]],
        trim_offsets: bool,
        single: Sequence[tuple[str, int, int]],
        pair: Sequence[tuple[str, int, int]],
    ) -> None: ...

def wordpiece_capacity(tokenizer: WordPiece, texts: Texts, pairs: Texts | None, options: WordPieceOptions) -> int:
    """See `tundish_kernels.wordpiece_capacity`."""

def wordpiece_into(
    ids: NDArray[np.int32],
    type_ids: NDArray[np.int32],
    offsets: NDArray[np.int32] | None,
    word_ids: NDArray[np.int32] | None,
    starts: NDArray[np.int64],
    truncated: NDArray[np.bool_],
    tokenizer: WordPiece,
    texts: Texts,
    pairs: Texts | None,
    options: WordPieceOptions,
) -> None:
    """`tundish_kernels.wordpiece_into` without its messages about types and shapes."""
