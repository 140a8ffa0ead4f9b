"""The Python forms of resize_normalize, and the checks the native code cannot make: types and shapes."""

import operator
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tundish_kernels import _native
from tundish_kernels._arguments import as_integer, as_list, as_number

Filter = Literal["nearest", "bilinear", "bicubic", "lanczos"]


class Window(NamedTuple):
    """What of a resized image becomes the output.

    The image is resized to `[resized_height, resized_width]`, and output pixel (y, x) is
    `resized[y + top, x + left]`. Where that lies outside the resized image, as in a centre crop of a small
    image (`top` or `left` negative), the output is the pad value.
    """

    resized_height: int
    resized_width: int
    top: int
    left: int


def resize_normalize(
    images: Sequence[NDArray[np.uint8]],
    windows: Sequence[Window],
    *,
    size: tuple[int, int],
    filter: Filter,  # noqa: A002 - the word that Pillow's users know
    scale: float,
    mean: Sequence[float],
    std: Sequence[float],
    pad: int = 0,
) -> NDArray[np.float32]:
    """Resizes, crops or pads, normalises and transposes a batch of images.

    Args:
        images: RGB arrays `[height, width, 3] uint8`, each of its own size. Rows may be apart (a crop of a
            larger array), but the pixels of a row must be adjacent. They are only read.
        windows: What of each resized image is wanted; as many as images.
        size: Height and width of the output in pixels.
        filter: How to resize; the pixels equal those of `PIL.Image.Image.resize` in Pillow 11 and 12, which
            resize the width first. Pillow 13 begins with the height if it shrinks by far more than the width.
        scale: Factor of a pixel before the mean is subtracted, such as 1 / 255.
        mean: Subtracted from each channel after scaling.
        std: Divides each channel after that.
        pad: Pixel value, 0 to 255, outside the resized image; it is normalised like any other.

    Returns:
        A new array `[len(images), 3, height, width] float32` of `pixel * (scale / std) - mean / std`: both
        constants rounded to float32, then one fused multiply-add.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    try:
        height, width = (operator.index(extent) for extent in size)
    except (TypeError, ValueError):
        raise TypeError(f"size must be two integers (height, width), got {size!r}") from None
    if not (1 <= height <= _native.MAXIMUM_EXTENT and 1 <= width <= _native.MAXIMUM_EXTENT):
        raise ValueError(f"size must be between 1 and {_native.MAXIMUM_EXTENT} each way, got {size!r}")
    images = as_list(images, "images")
    destination = np.empty((len(images), 3, height, width), dtype=np.float32)
    resize_normalize_into(destination, images, windows, filter=filter, scale=scale, mean=mean, std=std, pad=pad)
    return destination


def resize_normalize_into(
    destination: NDArray[np.float32],
    images: Sequence[NDArray[np.uint8]],
    windows: Sequence[Window],
    *,
    filter: Filter,  # noqa: A002
    scale: float,
    mean: Sequence[float],
    std: Sequence[float],
    pad: int = 0,
) -> None:
    """Does what `resize_normalize` does, into an array of the caller's.

    Runs on the calling thread without the GIL. Scratch memory is bounded (24 MiB, usually under 1) and freed
    before the return. Nothing is written if an argument is wrong.

    Args:
        destination: `[len(images), 3, height, width] float32`, C-contiguous, writable, apart from the images.
        images: See `resize_normalize`.
        windows: See `resize_normalize`.
        filter: See `resize_normalize`.
        scale: See `resize_normalize`.
        mean: See `resize_normalize`.
        std: See `resize_normalize`.
        pad: See `resize_normalize`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value, shape or dtype is not as said above.
    """
    images = as_list(images, "images")
    windows = as_list(windows, "windows")
    for index, image in enumerate(images):
        _check_image(image, index)
    if len(windows) != len(images):
        raise ValueError(f"windows must be as many as images ({len(images)}), got {len(windows)}")
    _check_destination(destination, len(images))
    if not isinstance(filter, str):
        raise TypeError(f"filter must be a string, got {filter!r}")
    _native.resize_normalize_into(
        destination,
        images,
        [_integers(window, index) for index, window in enumerate(windows)],
        filter,
        as_number(scale, "scale"),
        _channels(mean, "mean"),
        _channels(std, "std"),
        as_integer(pad, "pad"),
    )


def _check_image(image: object, index: int) -> None:
    expected = f"images[{index}] must be [height, width, 3] uint8"
    if not isinstance(image, np.ndarray):
        raise TypeError(f"{expected}, got {type(image).__name__}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"{expected}, got {image.shape} {image.dtype}")
    if image.size == 0:
        raise ValueError(f"{expected} and not empty, got {image.shape}")
    if image.strides[2] != 1 or (image.shape[1] > 1 and image.strides[1] != 3):
        raise ValueError(f"{expected} with adjacent pixels in a row, got strides {image.strides}")


def _check_destination(destination: object, batch: int) -> None:
    expected = f"destination must be [{batch}, 3, height, width] float32"
    if not isinstance(destination, np.ndarray):
        raise TypeError(f"{expected}, got {type(destination).__name__}")
    if destination.ndim != 4 or destination.shape[:2] != (batch, 3) or destination.dtype != np.float32:
        raise ValueError(f"{expected}, got {destination.shape} {destination.dtype}")
    if not (destination.flags.c_contiguous and destination.flags.aligned):
        raise ValueError(f"{expected} in aligned C order, got strides {destination.strides}")
    if not destination.flags.writeable:
        raise ValueError(f"{expected} and writable, got a read-only array")


def _integers(window: Window, index: int) -> tuple[int, int, int, int]:
    try:
        resized_height, resized_width, top, left = window
    except (TypeError, ValueError):
        raise TypeError(f"windows[{index}] must be a Window, got {window!r}") from None
    name = f"windows[{index}]"
    return (
        as_integer(resized_height, f"{name}.resized_height"),
        as_integer(resized_width, f"{name}.resized_width"),
        as_integer(top, f"{name}.top"),
        as_integer(left, f"{name}.left"),
    )


def _channels(values: Sequence[float], name: str) -> tuple[float, float, float]:
    channels = as_list(values, name)
    if len(channels) != 3:
        raise ValueError(f"{name} must be three numbers, one a channel, got {len(channels)}")
    red, green, blue = (as_number(value, f"{name}[{index}]") for index, value in enumerate(channels))
    return red, green, blue
