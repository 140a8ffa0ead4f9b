"""Types of the compiled module (src/python/), which trusts the checks of the operators' Python forms."""

from collections.abc import Sequence

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
