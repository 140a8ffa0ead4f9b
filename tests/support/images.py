"""Images for the bundles of `support.bundles`, and what no model can read."""

from __future__ import annotations

import io

from PIL import Image

COLORS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}


def encoded(color: str, form: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    """A plain image file of the colour."""
    stream = io.BytesIO()
    Image.new("RGB", size, COLORS[color]).save(stream, form)
    return stream.getvalue()
