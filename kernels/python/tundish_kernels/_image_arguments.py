"""What the image operators share: pixel formats, output formats, and the checks that native code cannot make."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray

from tundish_kernels import _native
from tundish_kernels._arguments import as_integer, as_list, as_number
from tundish_kernels._planes import split_planes
from tundish_kernels._window import Region, Window

Filter = Literal["nearest", "bilinear", "bicubic", "lanczos"]

PixelFormat = Literal[
    "rgb",
    "bgr",
    "grey",
    "nv12",
    "i420",
    "yuyv",
    "uyvy",
    "bayer_rggb",
    "bayer_bggr",
    "bayer_grbg",
    "bayer_gbrg",
]
"""How the bytes of an image make pixels.

| format | array, uint8 |
|---|---|
| rgb, bgr | `[height, width, 3]` |
| grey | `[height, width]` |
| nv12 | `[height * 3 / 2, width]`, or a pair: y `[height, width]`, uv `[height / 2, width]` |
| i420 | `[height * 3 / 2, width]` in C order, or y `[height, width]` and u, v `[height / 2, width / 2]` |
| yuyv, uyvy | `[height, width, 2]` |
| bayer_rggb, ... | `[height, width]`; named by the first two pixels of the first row, then of the second |

Rows may be apart, as in a camera's frame with a pitch; the bytes of a row must be adjacent. YUV is BT.601 with
limited range and needs an even width, nv12 and i420 also an even height; Bayer patterns are interpolated linearly and
need 3 x 3 pixels. All as OpenCV converts them, to the bit (its `COLOR_BayerBG2RGB` is `bayer_rggb`: OpenCV names the
pattern by its second row and column).
"""

Image = NDArray[np.uint8] | Sequence[NDArray[np.uint8]]
"""An image, or its planes."""

Elements = NDArray[Any]
"""Of the dtype that the `ImageOutput` says."""

Planes = list[NDArray[np.uint8]]
"""Of one image, each as rows of bytes."""

Quadruple = tuple[int, int, int, int]
Normalization = tuple[float, tuple[float, float, float], tuple[float, float, float], tuple[int, int, int]]
"""scale, mean, std, pad"""
Output = tuple[str, str, str, float, int]
"""dtype, layout, order, scale, zero point"""


_FORMATS = get_args(PixelFormat)
_DTYPES = {name: np.dtype(name) for name in ("float32", "float16", "uint8", "int8")}


class Quantization(NamedTuple):
    """Of a tensor: `integer = saturate(round(value / scale) + zero_point)`, ties to even, as ONNX QuantizeLinear."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOutput:
    """What the elements of an output are, and in which order."""

    dtype: Literal["float32", "float16", "uint8", "int8"] = "float32"
    """Floats hold normalised values, float16 rounded to even. Integers hold them quantised."""
    layout: Literal["chw", "hwc"] = "chw"
    order: Literal["rgb", "bgr"] = "rgb"
    """Of the channels; `mean`, `std` and `pad` follow it."""
    quantization: Quantization | None = None
    """Of the model's input, for an integer dtype. Without it values are rounded, so that pixels that nothing
    normalises stay as they are."""

    def __post_init__(self) -> None:
        """Checks what the type checker would.

        Raises:
            TypeError: A field is of the wrong type.
            ValueError: There is no such dtype, layout or order, or a float shall be quantised.
        """
        for name, values in (("dtype", _DTYPES), ("layout", ("chw", "hwc")), ("order", ("rgb", "bgr"))):
            if getattr(self, name) not in values:
                raise ValueError(f"{name} must be one of {', '.join(values)}, got {getattr(self, name)!r}")
        if self.quantization is None:
            return
        if self.dtype not in ("uint8", "int8"):
            raise ValueError(f"dtype must be uint8 or int8 to be quantised, got {self.dtype}")
        try:
            scale, zero_point = self.quantization
        except (TypeError, ValueError):
            raise TypeError(f"quantization must be a Quantization, got {self.quantization!r}") from None
        checked = Quantization(
            as_number(scale, "quantization.scale"), as_integer(zero_point, "quantization.zero_point")
        )
        object.__setattr__(self, "quantization", checked)

    def shape(self, batch: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Of an array of so many images."""
        return (batch, 3, height, width) if self.layout == "chw" else (batch, height, width, 3)

    def size(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width in such a shape."""
        return (shape[2], shape[3]) if self.layout == "chw" else (shape[1], shape[2])


def allocate(output: ImageOutput, batch: int, size: tuple[int, int]) -> Elements:
    """A new output array; TypeError or ValueError if the arguments are wrong."""
    try:
        height, width = (operator.index(extent) for extent in size)
    except (TypeError, ValueError):
        raise TypeError(f"size must be two integers (height, width), got {size!r}") from None
    if not (1 <= height <= _native.MAXIMUM_EXTENT and 1 <= width <= _native.MAXIMUM_EXTENT):
        raise ValueError(f"size must be between 1 and {_native.MAXIMUM_EXTENT} each way, got {size!r}")
    read_output(output)
    return np.empty(output.shape(batch, height, width), dtype=output.dtype)


def read_output(output: object) -> Output:
    """The output format for the native code."""
    if not isinstance(output, ImageOutput):
        raise TypeError(f"output must be an ImageOutput, got {type(output).__name__}")
    scale, zero_point = output.quantization or (1.0, 0)
    return output.dtype, output.layout, output.order, scale, zero_point


def check_destination(destination: object, output: ImageOutput, batch: int) -> None:
    """TypeError or ValueError if the array is not what the output's format says."""
    shape = f"[{batch}, 3, height, width]" if output.layout == "chw" else f"[{batch}, height, width, 3]"
    expected = f"destination must be {shape} {output.dtype}"
    if not isinstance(destination, np.ndarray):
        raise TypeError(f"{expected}, got {type(destination).__name__}")
    if (
        destination.ndim != 4
        or destination.shape != output.shape(batch, *output.size(destination.shape))
        or destination.dtype != _DTYPES[output.dtype]
    ):
        raise ValueError(f"{expected}, got {destination.shape} {destination.dtype}")
    if not (destination.flags.c_contiguous and destination.flags.aligned):
        raise ValueError(f"{expected} in aligned C order, got strides {destination.strides}")
    if not destination.flags.writeable:
        raise ValueError(f"{expected} and writable, got a read-only array")


def read_image(image: object, name: str, pixel_format: str) -> Planes:
    """The planes of an image as rows of bytes, without a copy."""
    return [rows.array for rows in split_planes(image, name, pixel_format, _rows)]


class _HostRows(NamedTuple):
    """Rows of an array in the host's memory; see `Rows`."""

    array: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        rows, length = self.array.shape
        return rows, length

    @property
    def strides(self) -> tuple[int, ...]:
        return self.array.strides

    @property
    def contiguous(self) -> bool:
        return self.array.flags.c_contiguous

    def part(self, begin: int, end: int) -> "_HostRows":
        return _HostRows(self.array[begin:end])

    def halves(self) -> tuple["_HostRows", "_HostRows"]:
        rows, length = self.shape
        first, second = self.array.reshape(2, rows, length // 2)
        return _HostRows(first), _HostRows(second)


def _rows(image: object, name: str, shape: tuple[str | int, ...]) -> _HostRows:
    expected = f"{name} must be [{', '.join(map(str, shape))}] uint8"
    if not isinstance(image, np.ndarray):
        raise TypeError(f"{expected}, got {type(image).__name__}")
    if image.ndim != len(shape) or image.dtype != np.uint8 or image.shape[2:] != shape[2:]:
        raise ValueError(f"{expected}, got {image.shape} {image.dtype}")
    if image.size == 0:
        raise ValueError(f"{expected} and not empty, got {image.shape}")
    if not image[0].flags.c_contiguous:
        raise ValueError(f"{expected} with adjacent pixels in a row, got strides {image.strides}")
    return _HostRows(image if image.ndim == 2 else image.reshape(len(image), -1))


def read_windows(windows: Sequence[Window], count: int, of: str) -> list[Quadruple]:
    """As many windows as there are `of`."""
    if len(windows) != count:
        raise ValueError(f"windows must be as many as {of} ({count}), got {len(windows)}")
    return [read_quadruple(window, f"windows[{index}]", Window) for index, window in enumerate(windows)]


def read_quadruple(value: Window | Region, name: str, kind: type[Window] | type[Region]) -> Quadruple:
    """A window or region as plain integers."""
    try:
        first, second, third, fourth = value
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a {kind.__name__}, got {value!r}") from None
    names = kind._fields
    return (
        as_integer(first, f"{name}.{names[0]}"),
        as_integer(second, f"{name}.{names[1]}"),
        as_integer(third, f"{name}.{names[2]}"),
        as_integer(fourth, f"{name}.{names[3]}"),
    )


def read_format(pixel_format: object) -> PixelFormat:
    """One of the names."""
    if pixel_format not in _FORMATS:
        raise ValueError(f"format must be one of {', '.join(_FORMATS)}, got {pixel_format!r}")
    return cast(PixelFormat, pixel_format)


def read_filter(filter: object, antialias: object) -> tuple[str, bool]:  # noqa: A002
    """What the native code parses further."""
    if not isinstance(filter, str):
        raise TypeError(f"filter must be a string, got {filter!r}")
    if not isinstance(antialias, bool):
        raise TypeError(f"antialias must be True or False, got {antialias!r}")
    return filter, antialias


def read_normalization(
    scale: float, mean: Sequence[float], std: Sequence[float], pad: int | Sequence[int]
) -> Normalization:
    """The numbers for the native code."""
    return as_number(scale, "scale"), _channels(mean, "mean"), _channels(std, "std"), _colour(pad)


def _channels(values: Sequence[float], name: str) -> tuple[float, float, float]:
    channels = as_list(values, name)
    if len(channels) != 3:
        raise ValueError(f"{name} must be three numbers, one a channel, got {len(channels)}")
    first, second, third = (as_number(value, f"{name}[{index}]") for index, value in enumerate(channels))
    return first, second, third


def _colour(pad: int | Sequence[int]) -> tuple[int, int, int]:
    if not isinstance(pad, Sequence | np.ndarray):
        value = _pixel(pad, "pad")
        return value, value, value
    if len(pad) != 3:
        raise ValueError(f"pad must be one integer or three, one a channel, got {len(pad)}")
    first, second, third = (_pixel(value, f"pad[{index}]") for index, value in enumerate(pad))
    return first, second, third


def _pixel(value: object, name: str) -> int:
    pixel = as_integer(value, name)
    if not 0 <= pixel <= 255:
        raise ValueError(f"{name} must be between 0 and 255, got {pixel}")
    return pixel
