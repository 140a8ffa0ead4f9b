"""The manifest's rule for images in Pillow and NumPy: what the runtime's own kernel is held against."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tundish.manifest import ImagePreprocess
from tundish.tasks.image_geometry import window

Placing = Callable[[float, float], tuple[float, float]]
"""From x and y to x and y."""

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def processed_image(rule: ImagePreprocess, data: bytes) -> NDArray[np.float32]:
    """One image as the network's input, `[1, 3, height, width] float32`, or `[1, height, width, 3]`."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    place = window(rule, image.height, image.width)
    resized = image.resize((place.resized_width, place.resized_height), _RESAMPLING[rule.interpolation])
    height, width = rule.size
    seen = Image.new("RGB", (width, height), (rule.padding,) * 3)
    seen.paste(resized, (-place.left, -place.top))
    pixels = np.asarray(seen, np.float32) * np.float32(rule.rescale)
    if rule.color_order == "BGR":
        pixels = pixels[..., ::-1]
    normalized = (pixels - np.array(rule.mean, np.float32)) / np.array(rule.std, np.float32)
    laid_out = normalized.transpose(2, 0, 1) if rule.layout == "CHW" else normalized
    return np.ascontiguousarray(laid_out[np.newaxis], np.float32)


def upright_size(data: bytes) -> tuple[int, int]:
    """Height and width of the image the right way up."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    return image.height, image.width


def place_in_image(rule: ImagePreprocess, data: bytes) -> Placing:
    """What makes x and y in pixels of the image of x and y in pixels of the network's input."""
    height, width = upright_size(data)
    place = window(rule, height, width)

    def placed(x: float, y: float) -> tuple[float, float]:
        return (
            (x + place.left) / place.resized_width * width,
            (y + place.top) / place.resized_height * height,
        )

    return placed
