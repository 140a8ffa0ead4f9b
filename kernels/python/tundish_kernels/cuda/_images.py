"""What the image operators on a GPU read their arguments with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tundish_kernels import _image_arguments as image_arguments
from tundish_kernels import _native
from tundish_kernels._arguments import as_integer, as_list
from tundish_kernels._image_arguments import ImageOutput, Quadruple
from tundish_kernels._planes import split_planes
from tundish_kernels._window import Window
from tundish_kernels.cuda._array import adjacent, read_output, read_strided_array


@dataclass(frozen=True, slots=True)
class _CudaRows:
    """Rows in a GPU's memory; see `Rows`."""

    address: int
    shape: tuple[int, int]
    row_stride: int

    @property
    def strides(self) -> tuple[int, ...]:
        return self.row_stride, 1

    @property
    def contiguous(self) -> bool:
        return self.row_stride == self.shape[1]

    def part(self, begin: int, end: int) -> Self:
        return type(self)(self.address + begin * self.row_stride, (end - begin, self.shape[1]), self.row_stride)

    def halves(self) -> tuple[Self, Self]:
        rows, length = self.shape
        half = length // 2
        first, second = (type(self)(self.address + index * rows * half, (rows, half), half) for index in (0, 1))
        return first, second


def read_image(image: object, name: str, pixel_format: str) -> list[Quadruple]:
    """The planes of an image in a GPU's memory: address, rows, bytes of each, and bytes from row to row."""
    planes = split_planes(image, name, pixel_format, _rows)
    return [(plane.address, *plane.shape, plane.row_stride) for plane in planes]


def read_destination(destination: object, output: ImageOutput, batch: int, of: str) -> Quadruple:
    """Address, batch, height and width, of an image for each `of`; `output` must have been checked."""
    if batch == 0:
        raise ValueError(f"{of} must hold at least one {of[:-1]}, got none")
    axes = (batch, 3, "height", "width") if output.layout == "chw" else (batch, "height", "width", 3)
    array = read_output(destination, "destination", axes, np.dtype(output.dtype).type)
    return array.address, batch, *output.size(array.shape)


def read_size(size: tuple[int, int], name: str) -> tuple[int, int]:
    """Height and width."""
    values = as_list(size, name)
    if len(values) != 2:
        raise ValueError(f"{name} must be two integers (height, width), got {size!r}")
    height, width = (as_integer(value, f"{name}[{index}]") for index, value in enumerate(values))
    if not (1 <= height <= _native.MAXIMUM_EXTENT and 1 <= width <= _native.MAXIMUM_EXTENT):
        raise ValueError(f"{name} must be between 1 and {_native.MAXIMUM_EXTENT} each way, got {height}, {width}")
    return height, width


def read_windows(windows: Sequence[Window], count: int, of: str) -> list[Quadruple]:
    """As many windows as there are `of`, for a plan without images: none is outside its range."""
    placements = image_arguments.read_windows(windows, count, of)
    for index, (resized_height, resized_width, top, left) in enumerate(placements):
        read_size((resized_height, resized_width), f"windows[{index}]")
        if max(abs(top), abs(left)) > _native.MAXIMUM_EXTENT:
            raise ValueError(f"windows[{index}] must begin within {_native.MAXIMUM_EXTENT}, got {top}, {left}")
    return placements


def _rows(image: object, name: str, axes: tuple[str | int, ...]) -> _CudaRows:
    array = read_strided_array(image, name, axes, np.uint8)
    rows, *pixels = array.shape
    if not adjacent(array.shape[1:], array.strides[1:], 1):
        raise ValueError(f"the pixels of a row of {name} must be adjacent, got strides {array.strides}")
    length = math.prod(pixels)
    return _CudaRows(array.address, (rows, length), array.strides[0] if rows > 1 else length)
