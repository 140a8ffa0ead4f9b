"""Types of the compiled module (src/python/), which trusts the checks of the operators' Python forms."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tundish_kernels._image_arguments import Elements, Normalization, Output, Planes, Quadruple

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

def softmax_top_k_into(
    indices: NDArray[np.int64] | NDArray[np.int32],
    scores: NDArray[np.float32],
    logits: NDArray[np.float32],
    function: str,
) -> None:
    """`tundish_kernels.softmax_top_k_into` without its messages about types and shapes."""

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

def cuda_resize_normalize_workspace_bytes(
    images: Sequence[Quadruple],
    windows: Sequence[Quadruple],
    height: int,
    width: int,
    filter: str,  # noqa: A002
    antialias: bool,
) -> int:
    """`tundish_kernels.cuda.resize_normalize_workspace_bytes`; an image is (0, height, width, 0)."""

def cuda_resize_normalize_into(
    destination: Quadruple,
    images: Sequence[Quadruple],
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

    The destination is (address, batch, height, width), an image (address, height, width, bytes from row to row).
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
