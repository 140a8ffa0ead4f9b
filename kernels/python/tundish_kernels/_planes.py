"""Takes images apart into the planes of their pixel formats, wherever their memory is."""

from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeVar


class Rows(Protocol):
    """Rows of bytes; the bytes of a row are adjacent, rows may be apart."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and bytes of each."""

    @property
    def strides(self) -> tuple[int, ...]:
        """In bytes."""

    @property
    def contiguous(self) -> bool:
        """Whether rows follow each other without gaps."""

    def part(self, begin: int, end: int) -> Self:
        """The rows from `begin` to `end`."""

    def halves(self) -> tuple[Self, Self]:
        """Contiguous rows as two planes, one after the other, with rows half as long."""


RowsType = TypeVar("RowsType", bound=Rows)
Reader = Callable[[object, str, tuple[str | int, ...]], RowsType]
"""Reads an array of uint8, of this name and with these axes, as rows; TypeError or ValueError if it is not one."""


def split_planes(image: object, name: str, pixel_format: str, read: Reader[RowsType]) -> list[RowsType]:
    """The planes of an image, in the order of its format.

    Args:
        image: An array, or a list of planes; see `PixelFormat`.
        name: What the caller knows it by.
        pixel_format: Its format.
        read: How an array becomes rows.

    Raises:
        TypeError: It is not made of arrays.
        ValueError: It is not of the format's shape, or its bytes are not as adjacent as they must be.
    """
    match pixel_format:
        case "rgb" | "bgr":
            return [read(image, name, ("height", "width", 3))]
        case "yuyv" | "uyvy":
            return [read(image, name, ("height", "width", 2))]
        case "nv12" | "i420":
            if isinstance(image, list | tuple):
                return _separate_planes(image, name, pixel_format, read)
            return _joined_planes(read(image, name, ("height * 3 / 2", "width")), name, pixel_format)
        case _:
            return [read(image, name, ("height", "width"))]


def _separate_planes(planes: Sequence[object], name: str, pixel_format: str, read: Reader[RowsType]) -> list[RowsType]:
    names = ("y", "uv") if pixel_format == "nv12" else ("y", "u", "v")
    if len(planes) != len(names):
        raise ValueError(f"{name} must be one array or the planes {', '.join(names)}, got {len(planes)} planes")
    luma = read(planes[0], f"{name}[0]", ("height", "width"))
    height, width = luma.shape
    _check_even(name, height, width)
    chroma = (height // 2, width if pixel_format == "nv12" else width // 2)
    rows = [luma]
    for index, plane in enumerate(planes[1:], start=1):
        rows.append(read(plane, f"{name}[{index}]", ("height", "width")))
        if rows[-1].shape != chroma:
            raise ValueError(f"{name}[{index}] must be {list(chroma)} uint8, got {rows[-1].shape} uint8")
    return rows


def _joined_planes(rows: RowsType, name: str, pixel_format: str) -> list[RowsType]:
    count, width = rows.shape
    if count % 3 != 0:
        raise ValueError(f"{name} must be [height * 3 / 2, width] uint8 with a whole height, got {rows.shape} uint8")
    height = count // 3 * 2
    _check_even(name, height, width)
    luma, chroma = rows.part(0, height), rows.part(height, count)
    if pixel_format == "nv12":
        return [luma, chroma]
    if not rows.contiguous:
        raise ValueError(
            f"{name} must be in C order, or separate planes y, u and v, got an array with strides {rows.strides}"
        )
    return [luma, *chroma.halves()]


def _check_even(name: str, height: int, width: int) -> None:
    if height % 2 or width % 2:
        raise ValueError(
            f"{name} must have an even width and height, since four pixels share their chroma, got {width} x {height}"
        )
