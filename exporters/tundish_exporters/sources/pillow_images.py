"""The manifest's rule for images in Pillow and NumPy: what the runtime's own kernel is held against."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tundish.manifest import ImagePreprocess
from tundish.tasks.image_geometry import window

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
    if rule.pads_with_zeros:
        inside = np.zeros((height, width, 1), np.float32)
        inside[-place.top : place.resized_height - place.top, -place.left : place.resized_width - place.left] = 1
        normalized = normalized * inside
    laid_out = normalized.transpose(2, 0, 1) if rule.layout == "CHW" else normalized
    return np.ascontiguousarray(laid_out[np.newaxis], np.float32)


def place_in_image(rule: ImagePreprocess, data: bytes) -> Callable[[Sequence[float]], list[float]]:
    """What makes corners in pixels of the image of corners `(x, y, x, y)` in pixels of the network's input."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    place = window(rule, image.height, image.width)

    def x(pixel: float) -> float:
        return (pixel + place.left) / place.resized_width * image.width

    def y(pixel: float) -> float:
        return (pixel + place.top) / place.resized_height * image.height

    return lambda box: [x(box[0]), y(box[1]), x(box[2]), y(box[3])]
