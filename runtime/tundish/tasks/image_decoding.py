"""From the bytes of an image file to RGB pixels, as the source's own processors read them.

Pillow is what those processors read with, so it decodes every format here but one: libjpeg-turbo gives the same pixels
of a JPEG in less time, without the GIL, and on request at a fraction of its size.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from tundish.errors import InvalidInputError
from tundish_kernels import decode_jpeg, jpeg_scans, jpeg_size

FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
MAX_PIXELS = 100_000_000
"""Larger images are refused from their header alone: a small file can unpack to any number of pixels."""
MAX_SCANNED_PIXELS = 2_000_000_000
"""Of a JPEG, each pixel once for each scan that the file sends it in: a scan may have a dozen bytes and take as long as
an image. Progressive files have about ten; two thousand million are decoded in three seconds."""

_JPEG_MAGIC = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """The right way up."""

    pixels: NDArray[np.uint8]
    """`[height, width, 3]` RGB; of a reduced JPEG, fewer pixels than the file has."""
    height: int
    width: int
    """Of the file, in pixels."""


def decode_image(
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    cover: Callable[[int, int], tuple[int, int]] | None = None,
    coarsest_step: float | None = None,
) -> DecodedImage:
    """Decodes a JPEG, PNG, BMP or WebP file, told apart by content.

    EXIF orientation is applied; grey, palette and CMYK images become RGB and alpha is dropped, as
    `ImageOps.exif_transpose(image).convert("RGB")` has it.

    Args:
        data: The file.
        max_pixels: The most pixels that the file may have.
        cover: If given, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as it covers
            `cover(height, width)`; see `tundish_kernels.decode_jpeg`.
        coarsest_step: If given, a progressive JPEG may be decoded without its last bits; see there.

    Raises:
        InvalidInputError: it is no such file, it is damaged or cut short, or has over `max_pixels` pixels, or over
            `MAX_SCANNED_PIXELS` in all scans.
    """
    if not data:
        raise InvalidInputError("The image has no bytes.")
    if data.startswith(_JPEG_MAGIC) and (image := _decode_jpeg(data, max_pixels, cover, coarsest_step)) is not None:
        return image
    return _decode_with_pillow(data, max_pixels)


def _decode_jpeg(
    data: bytes,
    max_pixels: int,
    cover: Callable[[int, int], tuple[int, int]] | None,
    coarsest_step: float | None,
) -> DecodedImage | None:
    """None if the file needs what only Pillow does: CMYK, or its verdict on a damaged file."""
    try:
        height, width = jpeg_size(data)
        _check_size(width, height, max_pixels)
        _check_scans(data, width, height)
        pixels = decode_jpeg(data, cover=cover(height, width) if cover else None, coarsest_step=coarsest_step)
    except ValueError:
        return None
    return DecodedImage(pixels, height, width)


def _decode_with_pillow(data: bytes, max_pixels: int) -> DecodedImage:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_size(image.width, image.height, max_pixels)
        if data.startswith(_JPEG_MAGIC):
            _check_scans(data, image.width, image.height)
        with image:
            pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
            return DecodedImage(pixels, *pixels.shape[:2])
    except Image.DecompressionBombError:  # Pillow's own limit, at about twice ours, speaks while it opens the file
        raise InvalidInputError(f"The image is over the limit of {max_pixels} pixels.") from None
    except UnidentifiedImageError:
        raise InvalidInputError(
            f"The image is none of {', '.join(FORMATS)}; it begins with {data[:8].hex(' ')}."
        ) from None
    # Pillow's decoders raise whatever they trip over: OSError, SyntaxError, ValueError, struct.error, …
    except InvalidInputError:
        raise
    except Exception as error:
        raise InvalidInputError(f"The image is damaged: {error}.") from error


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise InvalidInputError(f"The image has {width} x {height} pixels, the limit is {max_pixels} in all.")


def _check_scans(data: bytes, width: int, height: int) -> None:
    if (scans := jpeg_scans(data)) * width * height > MAX_SCANNED_PIXELS:
        raise InvalidInputError(
            f"The image sends its {width} x {height} pixels in {scans} scans, the limit is {MAX_SCANNED_PIXELS} in all."
        )
