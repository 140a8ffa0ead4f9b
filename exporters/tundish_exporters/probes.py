"""Inputs for models that come without data: enough to compare with the source on, not enough to quantise by."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from tundish.manifest import InputName, MaskPostprocess, Postprocess
from tundish.tasks import Item
from tundish.tasks.pages import made_page

_SIZES = ((224, 224), (320, 240), (240, 427), (97, 61), (640, 480), (33, 200), (512, 512), (255, 256))
_TEXTS = (
    "The tundish stands between the ladle and the moulds.",
    "Bearing 7 runs hot again; please send someone before the night shift.",
    "Yes.",
    "12.5 mm, +0.02 / -0.01, material 1.4301",
    "Größe, façade, naïve — and 漢字 beside κόσμος.",
    "I would not buy this again, although the delivery was quick and the packaging held.",
    "WARNING: pressure below limit!!!",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z",
)
_LONG = 5
"""Times that the texts stand in the long one: more than the windows of most models hold."""


def probe_inputs(reads: Sequence[InputName], postprocess: Postprocess) -> list[Item]:
    """Eight items: of fixed texts, with a mask where the model fills some, or of PNG images of blurred noise."""
    texts = list(_TEXTS)
    if isinstance(postprocess, MaskPostprocess):
        texts = [f"{postprocess.mask_token} {text}" for text in texts]
    columns = [
        list(_images()) if name == "image" else list(map(_form(name), _column(name, texts, turn)))
        for turn, name in enumerate(reads)
    ]
    return [parts if len(parts) > 1 else parts[0] for parts in zip(*columns, strict=True)]


def _form(name: InputName) -> Callable[[str], bytes]:
    """What makes a part of a text: a page has its words, all others are the text itself."""
    return (lambda text: made_page(text.split())) if name == "page" else str.encode


def _column(name: InputName, texts: Sequence[str], turn: int) -> list[str]:
    """The texts of a part, of which each further part has others: questions are short, and one context is long."""
    turned = [*texts[turn:], *texts[:turn]]
    if name == "question":
        return [" ".join(text.split()[:2]) for text in turned]
    return [_LONG * " ".join(turned), *turned[1:]] if name in ("context", "page") else turned


@cache
def _images() -> tuple[bytes, ...]:
    random = np.random.default_rng(0)
    images = []
    for width, height in _SIZES:
        noise = Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))
        stream = io.BytesIO()
        # Blurring leaves greys alone, which most rules treat alike; stretched, they reach black and white again.
        ImageOps.autocontrast(noise.filter(ImageFilter.GaussianBlur(3))).save(stream, "PNG")
        images.append(stream.getvalue())
    return tuple(images)
