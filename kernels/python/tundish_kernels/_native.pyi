"""Types of the compiled module (src/python/), which trusts the checks of the operators' Python forms."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tundish_kernels._image_arguments import Elements, Normalization, Output, Planes, Quadruple

MAXIMUM_EXTENT: int
"""The greatest height or width of anything in a call, and the farthest offset of a window."""

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
