"""The manifest's rule for images in Pillow, or OpenCV, and NumPy: what the runtime's own kernel is held against."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tundish.manifest import ImagePreprocess
from tundish.tasks.image_geometry import input_size, window
from tundish.tasks.opencv import load_opencv

Placing = Callable[[float, float], tuple[float, float]]
"""From x and y to x and y."""

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

_OPENCV = {"nearest": 0, "bilinear": 1, "bicubic": 2, "lanczos": 4}
"""The values of its `INTER_` flags."""


def processed_image(rule: ImagePreprocess, data: bytes) -> NDArray[np.float32]:
    """One image as the network's input, `[1, 3, height, width] float32`, or `[1, height, width, 3]`."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    place = window(rule, image.height, image.width)
    resized = _resized(image, rule, (place.resized_width, place.resized_height))
    height, width = input_size(rule, place)
    seen = Image.new("RGB", (width, height), (rule.padding,) * 3)
    seen.paste(resized, (-place.left, -place.top))
    pixels = np.asarray(seen, np.float32) * np.float32(rule.rescale)
    if rule.color_order == "BGR":
        pixels = pixels[..., ::-1]
    normalized = (pixels - np.array(rule.mean, np.float32)) / np.array(rule.std, np.float32)
    if rule.pads_with_zeros:
        inside = np.zeros((height, width, 1), np.float32)
        inside[-place.top : place.resized_height - place.top, -place.left : place.resized_width - place.left] = 1
        normalized = normalized * inside
    laid_out = normalized.transpose(2, 0, 1) if rule.layout == "CHW" else normalized
    return np.ascontiguousarray(laid_out[np.newaxis], np.float32)


def _resized(image: Image.Image, rule: ImagePreprocess, size: tuple[int, int]) -> Image.Image:
    """To a width and height."""
    if rule.resampling == "pillow":
        return image.resize(size, _RESAMPLING[rule.interpolation])
    return Image.fromarray(load_opencv().resize(np.asarray(image), size, interpolation=_OPENCV[rule.interpolation]))


def image_size(data: bytes) -> tuple[int, int]:
    """Height and width of an image, the right way up."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    return image.height, image.width


def place_in_image(rule: ImagePreprocess, data: bytes) -> Placing:
    """What makes x and y in pixels of the image of x and y in pixels of the network's input."""
    height, width = image_size(data)
    place = window(rule, height, width)

    def placed(x: float, y: float) -> tuple[float, float]:
        return (
            (x + place.left) / place.resized_width * width,
            (y + place.top) / place.resized_height * height,
        )

    return placed
