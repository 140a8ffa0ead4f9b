"""What programs hand over as an image or a text, and the bytes that models read."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tundish.errors import InvalidInputError
from tundish.tasks import InputKind

ImageInput = str | os.PathLike[str] | bytes | NDArray[np.uint8]
"""A path, the content of an image file, or `[height, width, 3] uint8` RGB pixels."""


def read_input(*, image: ImageInput | None, text: str | None) -> tuple[InputKind, bytes]:
    """The kind of the one input that is given, and its bytes.

    Raises:
        InvalidInputError: none or both are given, the file cannot be read, or the pixels have another form.
    """
    if (image is None) == (text is None):
        raise InvalidInputError("Give exactly one of image and text.")
    if text is not None:
        try:
            return "text", text.encode()
        except UnicodeEncodeError:
            raise InvalidInputError("The text holds half a surrogate pair, which UTF-8 cannot carry.") from None
    assert image is not None
    return "image", _read_image(image)


def _read_image(image: ImageInput) -> bytes:
    if isinstance(image, bytes):
        return image
    if isinstance(image, np.ndarray):
        return _encode_pixels(image)
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise InvalidInputError(f"The image {image} cannot be read: {error.strerror}.") from None


def _encode_pixels(pixels: NDArray[np.uint8]) -> bytes:
    """A BMP file: the wire carries files, and this one is the pixels with a header."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise InvalidInputError(
            f"Pixels must be [height, width, 3] uint8 RGB, got {list(pixels.shape)} {pixels.dtype}."
        )
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "BMP")
    return stream.getvalue()
