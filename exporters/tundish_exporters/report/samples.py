"""Samples of the data as a report shows them: small pictures, shortened texts."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

from PIL import Image

from tundish.errors import InvalidInputError
from tundish.manifest import InputName
from tundish.tasks.image_decoding import decode_image
from tundish_exporters.data import Sample
from tundish_exporters.report.content import ShownPart

_EDGE = 128
"""The most pixels of a picture's longer side."""
_QUALITY = 80
_CHARACTERS = 280
"""The most of a text."""


def shown_parts(sample: Sample, reads: Sequence[InputName]) -> tuple[ShownPart, ...]:
    """The parts that the model reads, each as a picture or a text; none of what cannot be shown."""
    parts = (_shown(name, part) for name, part in zip(reads, sample.parts(), strict=False))
    return tuple(part for part in parts if part is not None)


def sample_name(sample: Sample) -> str:
    """Where it stands in its data, else the files that it is read from without the folders that they lie in."""
    return sample.name or " | ".join(
        f"{part.parent.name}/{part.name}" for part in sample.content if isinstance(part, Path)
    )


def _shown(name: InputName, part: Any) -> ShownPart | None:
    if name == "image":
        picture = thumbnail(part) if isinstance(part, bytes) else None
        return None if picture is None else ShownPart(name, picture=picture)
    if name == "page" and isinstance(part, bytes):
        return ShownPart(name, text=_shortened(_page_text(part)))
    if isinstance(part, bytes):
        return ShownPart(name, text=_shortened(part.decode(errors="replace")))
    if isinstance(part, tuple) and all(isinstance(each, bytes) for each in part):
        return ShownPart(name, text=_shortened(", ".join(each.decode(errors="replace") for each in part)))
    return None  # tensors, which a component is asked about


def thumbnail(data: bytes) -> str | None:
    """A JPEG of at most 128 pixels a side, the right way up, as a data URI; None if the data are no image."""

    def cover(height: int, width: int) -> tuple[int, int]:
        share = _EDGE / max(height, width, _EDGE)
        return max(1, round(height * share)), max(1, round(width * share))

    try:
        image = Image.fromarray(decode_image(data, cover=cover).pixels)
    except InvalidInputError:
        return None
    image.thumbnail((_EDGE, _EDGE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _page_text(page: bytes) -> str:
    """The words of a page; what is no page stands as it is."""
    try:
        return " ".join(str(word["text"]) for word in json.loads(page)["words"])
    except (ValueError, TypeError, KeyError):
        return page.decode(errors="replace")


def _shortened(text: str) -> str:
    return shorten(text, _CHARACTERS, placeholder=" …") if len(text) > _CHARACTERS else text
