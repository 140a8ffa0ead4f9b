"""From the bytes of an image file to RGB pixels, as the source's own processors read them.

Pillow is what those processors read with, so it decodes every format here but one: libjpeg-turbo through simplejpeg
gives the same pixels of a JPEG in less time, without the GIL.
"""

from __future__ import annotations

import io

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from tundish.errors import InvalidInputError

FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
MAX_PIXELS = 100_000_000
"""Larger images are refused from their header alone: a small file can unpack to any number of pixels."""

_JPEG_MAGIC = b"\xff\xd8\xff"
_EXIF_MAGIC = b"Exif\0\0"


def decode_image(data: bytes, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decodes a JPEG, PNG, BMP or WebP file, told apart by content, to `[height, width, 3] uint8` RGB.

    EXIF orientation is applied; grey, palette and CMYK images become RGB and alpha is dropped, as
    `ImageOps.exif_transpose(image).convert("RGB")` has it.

    Raises:
        InvalidInputError: it is no such file, it is damaged or cut short, or has over `max_pixels` pixels.
    """
    if not data:
        raise InvalidInputError("The image has no bytes.")
    if data.startswith(_JPEG_MAGIC) and (pixels := _decode_plain_jpeg(data, max_pixels)) is not None:
        return pixels
    return _decode_with_pillow(data, max_pixels)


def _decode_plain_jpeg(data: bytes, max_pixels: int) -> NDArray[np.uint8] | None:
    """None if the file needs what only Pillow does: an orientation, CMYK, or its verdict on a damaged file."""
    try:
        height, width, color_space, _ = simplejpeg.decode_jpeg_header(data)
        _check_size(width, height, max_pixels)
        # Metadata precedes the pixels; a false alarm in them only costs time.
        if color_space in ("CMYK", "YCCK") or _EXIF_MAGIC in data[:65_536]:
            return None
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colorspace="RGB")
    except ValueError:
        return None
    return pixels


def _decode_with_pillow(data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_size(image.width, image.height, max_pixels)
        with image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
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
