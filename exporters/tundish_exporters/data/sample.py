"""One item of data, and what is right for it."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np

from tundish.inputs import read_inputs
from tundish.tasks import Item
from tundish_exporters.errors import DataError
from tundish_exporters.truths import Truth

MAX_FILE_BYTES = 256 * 1024**2
"""Of an image or a page. None is larger; what is, would be read into memory whole."""
_MOST_SAID = 200
"""Characters of a sample that a sentence about it quotes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One item of data, with what is right for it if that is known."""

    content: tuple[Any, ...]
    """A part for each that the model reads: a text, the path of a file, the bytes of one, pixels, or what a component
    is asked about itself."""
    truth: Truth | None = None
    slice: str | None = None
    """Where it is told apart from others in accuracy, if the data are."""
    name: str = ""
    """Where it stands in its data, such as a line of a table."""
    group: str | None = None
    """Which samples it belongs together with, such as the frames of one camera run, if the data say so."""

    def read(self) -> Item:
        """As a request would carry it; raises DataError if a file cannot be read."""
        parts = self.parts()
        return parts if len(parts) > 1 else parts[0]

    def parts(self) -> tuple[Any, ...]:
        """Each as a request would carry it; raises DataError as `read` does."""
        return tuple(_read(part) for part in self.content)

    def __str__(self) -> str:
        """For sentences about it."""
        other = self.name or "made of another"
        said = " | ".join(str(part) if isinstance(part, str | Path) else other for part in self.content)
        return shorten(said, _MOST_SAID, placeholder=" …") if len(said) > _MOST_SAID else said


def encoded(text: str) -> bytes:
    """A text in UTF-8; raises DataError if that cannot carry it."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise DataError("A text holds half a surrogate pair, which UTF-8 cannot carry.") from None


def _read(part: Any) -> Any:
    if isinstance(part, str):
        return encoded(part)
    if isinstance(part, np.ndarray):
        return read_inputs({"image": part})["image"]
    if not isinstance(part, Path):
        return part
    try:
        status = part.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{part} is no file.")
        if status.st_size > MAX_FILE_BYTES:
            raise DataError(f"The file {part} has {status.st_size} bytes, the limit is {MAX_FILE_BYTES}.")
        return part.read_bytes()
    except OSError as error:
        raise DataError(f"The file {part} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # a name with a NUL
        raise DataError(f"The file {str(part)!r} cannot be read: {error}.") from error
