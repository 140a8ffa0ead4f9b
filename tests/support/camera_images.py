"""Images in every pixel format, with what OpenCV makes of them."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tundish_kernels import PixelFormat

Pixels = NDArray[np.uint8]


def _cv2(code: int) -> Callable[[Pixels], Pixels]:
    return lambda image: np.asarray(cv2.cvtColor(image, code), np.uint8)


TO_RGB: dict[PixelFormat, Callable[[Pixels], Pixels]] = {
    "rgb": lambda image: image,
    "bgr": lambda image: image[..., ::-1],
    "grey": lambda image: np.repeat(image[..., np.newaxis], 3, axis=2),
    "nv12": _cv2(cv2.COLOR_YUV2RGB_NV12),
    "i420": _cv2(cv2.COLOR_YUV2RGB_I420),
    "yuyv": _cv2(cv2.COLOR_YUV2RGB_YUYV),
    "uyvy": _cv2(cv2.COLOR_YUV2RGB_UYVY),
    # OpenCV names a pattern by its second row, from the second column on.
    "bayer_rggb": _cv2(cv2.COLOR_BayerBG2RGB),
    "bayer_bggr": _cv2(cv2.COLOR_BayerRG2RGB),
    "bayer_grbg": _cv2(cv2.COLOR_BayerGB2RGB),
    "bayer_gbrg": _cv2(cv2.COLOR_BayerGR2RGB),
}
"""The oracle of each format: RGB `[height, width, 3]`."""


def camera_size(pixel_format: PixelFormat, height: int, width: int) -> tuple[int, int]:
    """The nearest size, not below, that the format takes."""
    if pixel_format in ("nv12", "i420"):
        return height + height % 2, width + width % 2
    if pixel_format in ("yuyv", "uyvy"):
        return height, width + width % 2
    if pixel_format.startswith("bayer"):
        return max(3, height), max(3, width)
    return height, width


def camera_image(pixel_format: PixelFormat, height: int, width: int, seed: int = 0) -> Pixels:
    """Noise of a size that the format takes; black and white only where the seed is odd."""
    height, width = camera_size(pixel_format, height, width)
    shapes: dict[str, tuple[int, ...]] = {
        "rgb": (height, width, 3),
        "bgr": (height, width, 3),
        "nv12": (height * 3 // 2, width),
        "i420": (height * 3 // 2, width),
        "yuyv": (height, width, 2),
        "uyvy": (height, width, 2),
    }
    shape = shapes.get(pixel_format, (height, width))
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return np.where(image > 127, np.uint8(255), np.uint8(0)) if seed % 2 else image


def with_row_pitch(image: Pixels, pitch: int, *, upside_down: bool = False) -> Pixels:
    """The same pixels with `pitch` bytes after each row, or with the last row first in memory."""
    rows = image.reshape(len(image), -1)
    memory = np.full((len(rows), rows.shape[1] + pitch), 77, np.uint8)
    view = memory[:, : rows.shape[1]]
    if upside_down:
        view = view[::-1]
    view[...] = rows
    strides = (view.strides[0], *image.strides[1:])
    return np.lib.stride_tricks.as_strided(view, image.shape, strides)
