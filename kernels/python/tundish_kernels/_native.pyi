"""Types of the compiled module (src/python/), which trusts the checks of the operators' Python forms."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tundish_kernels._image_arguments import Elements, Normalization, Output, Planes, Quadruple

MAXIMUM_EXTENT: int
"""The greatest height or width of anything in a call, and the farthest offset of a window."""

MAXIMUM_BOXES: int
"""The most boxes of one image that non_max_suppression looks at."""

MAXIMUM_CLASSES: int
"""The most classes that non_max_suppression takes."""

MAXIMUM_DETECTIONS: int
"""The most detections of one image that non_max_suppression keeps."""

MAXIMUM_MASK_EXTENT: int
"""The greatest height or width of a mask."""

MAXIMUM_RUN_EXTENT: int
"""The greatest height or width of a mask that run_length_encode takes."""

def isa() -> str:
    """The instruction set that the kernels use.

    It is the fastest that this machine runs, or what TUNDISH_KERNELS_ISA names. The environment is read once.

    Raises:
        ValueError: TUNDISH_KERNELS_ISA names none of `available_isas()`.
    """

def available_isas() -> list[str]:
    """The instruction sets that TUNDISH_KERNELS_ISA may name on this machine, slowest first."""

def non_max_suppression_into(
    indices: NDArray[np.int32],
    classes: NDArray[np.int32],
    kept_scores: NDArray[np.float32],
    counts: NDArray[np.int32],
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    box_format: str,
    score_threshold: float,
    iou_threshold: float,
    class_agnostic: bool,
    multi_label: bool,
) -> None:
    """`tundish_kernels.non_max_suppression_into` without its messages about types and shapes."""

def pool_normalize_into(
    destination: NDArray[np.float32],
    tokens: NDArray[np.float32],
    mask: NDArray[np.int64] | NDArray[np.int32] | NDArray[np.uint8],
    pooling: str,
    normalize: bool,
) -> None:
    """`tundish_kernels.pool_normalize_into` without its messages about types and shapes."""

def resize_normalize_into(
    destination: Elements,
    images: Sequence[Planes],
    windows: Sequence[Quadruple],
    format: str,  # noqa: A002
    filter: str,  # noqa: A002
    antialias: bool,
    normalization: Normalization,
    output: Output,
) -> None:
    """`tundish_kernels.resize_normalize_into` without its messages about types and shapes."""

def run_length_encode_into(
    text: NDArray[np.uint8],
    lengths: NDArray[np.int64],
    masks: NDArray[np.uint8],
) -> None:
    """`tundish_kernels.run_length_encode_into` without its messages about types, shapes and room."""

def run_length_decode_into(destination: NDArray[np.uint8], texts: Sequence[bytes]) -> None:
    """`tundish_kernels.run_length_decode_into` without its messages about types and shapes."""

def softmax_top_k_into(
    indices: NDArray[np.int64] | NDArray[np.int32],
    scores: NDArray[np.float32],
    logits: NDArray[np.float32],
    function: str,
) -> None:
    """`tundish_kernels.softmax_top_k_into` without its messages about types and shapes."""

def upsample_argmax_into(
    destination: NDArray[np.uint8] | NDArray[np.int32],
    logits: NDArray[np.float32],
) -> None:
    """`tundish_kernels.upsample_argmax_into` without its messages about types and shapes."""

def crop_resize_normalize_into(
    destination: Elements,
    frame: Planes,
    regions: Sequence[Quadruple],
    windows: Sequence[Quadruple],
    format: str,  # noqa: A002
    filter: str,  # noqa: A002
    antialias: bool,
    normalization: Normalization,
    output: Output,
) -> None:
    """`tundish_kernels.crop_resize_normalize_into` without its messages about types and shapes."""

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

def cuda_unavailable_reason() -> str:
    """Why no GPU can be used, in one sentence; empty if one can."""

class CudaDevice:
    """The native part of `tundish_kernels.cuda.Device`."""

    def __init__(self, fatbin: bytes, ordinal: int) -> None: ...
    @property
    def ordinal(self) -> int: ...

class CudaWorkspace:
    """The native part of `tundish_kernels.cuda.Workspace`."""

    def __init__(self, device: CudaDevice, bytes: int) -> None: ...  # noqa: A002
    @property
    def bytes(self) -> int: ...

def cuda_crop_resize_normalize_workspace_bytes(
    regions: Sequence[Quadruple],
    windows: Sequence[Quadruple],
    size: tuple[int, int],
    filter: str,  # noqa: A002
    antialias: bool,
) -> int:
    """`tundish_kernels.cuda.crop_resize_normalize_workspace_bytes`, which checks the arguments."""

def cuda_crop_resize_normalize_into(
    destination: Quadruple,
    frame: Sequence[Quadruple],
    regions: Sequence[Quadruple],
    windows: Sequence[Quadruple],
    format: str,  # noqa: A002
    filter: str,  # noqa: A002
    antialias: bool,
    normalization: Normalization,
    output: Output,
    workspace: CudaWorkspace,
    stream: int,
) -> None:
    """`tundish_kernels.cuda.crop_resize_normalize_into`, of addresses as `cuda_resize_normalize_into` has them."""

def cuda_resize_normalize_workspace_bytes(
    image_sizes: Sequence[tuple[int, int]],
    windows: Sequence[Quadruple],
    size: tuple[int, int],
    filter: str,  # noqa: A002
    antialias: bool,
) -> int:
    """`tundish_kernels.cuda.resize_normalize_workspace_bytes`, which checks the arguments."""

def cuda_resize_normalize_into(
    destination: Quadruple,
    images: Sequence[Sequence[Quadruple]],
    windows: Sequence[Quadruple],
    format: str,  # noqa: A002
    filter: str,  # noqa: A002
    antialias: bool,
    normalization: Normalization,
    output: Output,
    workspace: CudaWorkspace,
    stream: int,
) -> None:
    """`tundish_kernels.cuda.resize_normalize_into`.

    The destination is (address, batch, height, width); an image is its planes, each (address, rows, bytes of a row,
    bytes from row to row).
    """

def cuda_softmax_top_k_into(
    indices: int,
    index_bytes: int,
    scores: int,
    k: int,
    logits: tuple[int, int, int],
    function: str,
    device: CudaDevice,
    stream: int,
) -> None:
    """`tundish_kernels.cuda.softmax_top_k_into`, of addresses; logits are (address, batch, classes)."""

def cuda_pack_into(
    destination: tuple[int, int, int, int, int],
    element_bytes: int,
    tokens: tuple[int, int, int, int],
    padding: tuple[int, int, bool],
    device: CudaDevice,
    stream: int,
) -> None:
    """`tundish_kernels.cuda.pack_into`, of addresses, 0 for an array that is not there.

    The destination is (ids, mask, type ids, batch, length), tokens are (ids, type ids, starts, size).
    """

def cuda_pool_normalize_into(
    destination: int,
    tokens: tuple[int, int, int, int],
    mask: int,
    mask_bytes: int,
    pooling: str,
    normalize: bool,
    device: CudaDevice,
    stream: int,
) -> None:
    """`tundish_kernels.cuda.pool_normalize_into`, of addresses; tokens are (address, batch, tokens, width)."""

def cuda_upsample_argmax_into(
    destination: int,
    label_bytes: int,
    size: tuple[int, int],
    logits: tuple[int, int, int, int, int],
    device: CudaDevice,
    stream: int,
) -> None:
    """`tundish_kernels.cuda.upsample_argmax_into`, of addresses.

    Logits are (address, batch, classes, height, width).
    """

def cuda_non_max_suppression_workspace_bytes(
    size: tuple[int, int, int, int], box_format: str, multi_label: bool
) -> int:
    """`tundish_kernels.cuda.non_max_suppression_workspace_bytes`; size is (batch, boxes, classes, max_detections)."""

def cuda_non_max_suppression_into(
    destination: tuple[int, int, int, int],
    max_detections: int,
    boxes: tuple[int, tuple[int, int, int], tuple[int, int, int]],
    scores: tuple[int, tuple[int, int, int], tuple[int, int, int]],
    box_format: str,
    score_threshold: float,
    iou_threshold: float,
    class_agnostic: bool,
    multi_label: bool,
    workspace: CudaWorkspace,
    stream: int,
) -> None:
    """`tundish_kernels.cuda.non_max_suppression_into`, of addresses.

    Boxes and scores are (address, shape, strides in elements).
    """

def cuda_run_length_encode_workspace_bytes(batch: int, height: int, width: int) -> int:
    """`tundish_kernels.cuda.run_length_encode_workspace_bytes`."""

def cuda_run_length_encode_into(
    text: int,
    lengths: int,
    capacity: int,
    masks: tuple[int, int, int, int],
    workspace: CudaWorkspace,
    stream: int,
) -> None:
    """`tundish_kernels.cuda.run_length_encode_into`, of addresses; masks are (address, batch, height, width)."""

class CudaWordPiece:
    """The native part of `tundish_kernels.cuda.WordPiece`."""

    def __init__(self, device: CudaDevice, tokenizer: WordPiece) -> None: ...

def cuda_wordpiece_workspace_bytes(texts: int, text_bytes: int, length: int) -> int:
    """See `tundish_kernels.cuda.wordpiece_workspace_bytes`."""

def cuda_wordpiece_into(
    destination: tuple[int, int, int, int, int, int, int],
    element_bytes: int,
    tokenizer: CudaWordPiece,
    texts: Texts,
    pairs: Texts | None,
    options: WordPieceOptions,
    padding: tuple[int, int, bool],
    workspace: CudaWorkspace,
    stream: int,
) -> int:
    """`tundish_kernels.cuda.wordpiece_into`.

    The destination is (ids, mask, type ids, lengths, truncated, batch, length), of addresses, 0 for an array that is
    not there.
    """
