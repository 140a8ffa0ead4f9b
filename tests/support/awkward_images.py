"""Image files in the modes, sizes and orientations that programs forget."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

_ORIENTATION = 0x0112
_ROTATED = 6


def encoded_as(image: Image.Image, form: str, **options: Any) -> bytes:
    """The image as a file's bytes."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def blurred_noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A picture of its own for each size."""
    noise = np.random.default_rng(1000 * width + height).integers(0, 256, (height, width, 4), np.uint8)
    return Image.fromarray(noise, "RGBA").filter(ImageFilter.GaussianBlur(2)).convert(mode)


def awkward_images(photograph: Path) -> dict[str, bytes]:
    """File contents by what is awkward about them.

    None is 1 or 3 pixels high: transformers takes such arrays for images with the channels first.
    """
    with Image.open(photograph) as opened:
        picture = opened.convert("RGB")
    exif = Image.Exif()
    exif[_ORIENTATION] = _ROTATED
    return {
        "grey": encoded_as(picture.convert("L"), "PNG"),
        "grey of 16 bits": encoded_as(Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257), "PNG"),
        "grey with alpha": encoded_as(blurred_noise(120, 90, "LA"), "PNG"),
        "alpha": encoded_as(blurred_noise(120, 90, "RGBA"), "PNG"),
        "palette": encoded_as(picture.convert("P"), "PNG"),
        "palette with a transparent colour": encoded_as(picture.convert("P"), "PNG", transparency=3),
        "CMYK": encoded_as(picture.convert("CMYK"), "JPEG"),
        "rotated by EXIF": encoded_as(picture.crop((0, 0, 400, 200)), "JPEG", exif=exif),
        "WebP": encoded_as(picture.resize((301, 203)), "WEBP"),
        "BMP": encoded_as(picture.resize((203, 301)), "BMP"),
        "tiny": encoded_as(blurred_noise(5, 4), "PNG"),
        "one pixel wide": encoded_as(blurred_noise(1, 30), "PNG"),
        "very wide": encoded_as(blurred_noise(1500, 20), "PNG"),
        "very tall": encoded_as(blurred_noise(20, 1500), "PNG"),
        "odd edges": encoded_as(blurred_noise(333, 217), "PNG"),
    }
