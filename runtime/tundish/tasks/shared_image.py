"""Images as the parts of a composed bundle hand them on: decoded once, and looked at by all of them without a copy."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tundish.errors import InvalidInputError
from tundish.tasks.image_decoding import DecodedImage, decode_image


class SharedImage:
    """The file of an image, which whoever needs its pixels first decodes for all. Any number of threads may ask."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._lock = threading.Lock()
        self._outcome: DecodedImage | InvalidInputError | None = None

    @property
    def data(self) -> bytes:
        """The file."""
        return self._data

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the file: what tells images apart."""
        return hashlib.sha256(self._data).digest()

    def decoded(self) -> DecodedImage:
        """Its pixels in full size, not to be written to; raises InvalidInputError as `decode_image` does."""
        with self._lock:
            if self._outcome is None:
                try:
                    self._outcome = decode_image(self._data)
                except InvalidInputError as error:
                    self._outcome = error
        if isinstance(self._outcome, InvalidInputError):
            raise InvalidInputError(str(self._outcome))
        return self._outcome


@dataclass(frozen=True, slots=True, eq=False)
class ImageRegion:
    """A quadrilateral of an image, which a model reads as an image of its own."""

    image: SharedImage
    corners: NDArray[np.float32]
    """`[4, 2]`, x and y in pixels of the image, clockwise from the corner that is the upper left one of its content."""
    upside_down: bool = False
    """Whether the content stands so within these corners; it is turned before it is read."""


ImageItem = bytes | SharedImage | ImageRegion
"""What a task that reads images takes: a file, the same where others need its pixels, too, or a part of it."""
