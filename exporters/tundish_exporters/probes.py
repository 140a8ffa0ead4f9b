"""Inputs for models that come without data: enough to compare with the source on, not enough to quantise by."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from tundish.manifest import CtcPostprocess, InputName, MaskPostprocess, Postprocess, TextRegionPostprocess
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
_PAGES = ((224, 224), (320, 240), (240, 427), (197, 161), (640, 480), (133, 300), (512, 512), (255, 256))
"""Width and height of images of texts."""
_LETTERS = 20
"""Height of letters, in pixels."""
_LONG = 5
"""Times that the texts stand in the long one: more than the windows of most models hold."""


def probe_inputs(reads: Sequence[InputName], postprocess: Postprocess, *, tokens: int | None = None) -> list[Item]:
    """Eight items: of fixed texts, with a mask where the model fills some, or of PNG images.

    The images are of blurred noise, or where the model finds or reads texts, of such. No text has more than twice as
    many words as a model of texts reads `tokens` at once: it comes in few windows then.
    """
    texts = list(_TEXTS)
    if isinstance(postprocess, MaskPostprocess):
        texts = [f"{postprocess.mask_token} {text}" for text in texts]
    columns = [
        list(_images(postprocess)) if name == "image" else list(map(_form(name), _column(name, texts, turn, tokens)))
        for turn, name in enumerate(reads)
    ]
    return [parts if len(parts) > 1 else parts[0] for parts in zip(*columns, strict=True)]


def _form(name: InputName) -> Callable[[str], bytes]:
    """What makes a part of a text: a page has its words, all others are the text itself."""
    return (lambda text: made_page(text.split())) if name == "page" else str.encode


def _column(name: InputName, texts: Sequence[str], turn: int, tokens: int | None) -> list[str]:
    """The texts of a part, of which each further part has others: questions are short, and one context is long."""
    turned = [*texts[turn:], *texts[:turn]]
    if name == "question":
        return [" ".join(text.split()[:2]) for text in turned]
    if name not in ("context", "page"):
        return turned
    words = (_LONG * f"{' '.join(turned)} ").split()
    return [" ".join(words if tokens is None else words[: 2 * tokens]), *turned[1:]]


def _images(postprocess: Postprocess) -> tuple[bytes, ...]:
    match postprocess:
        case TextRegionPostprocess():
            return _pages()
        case CtcPostprocess():
            return _lines()
        case _:
            return _noise()


@cache
def _noise() -> tuple[bytes, ...]:
    random = np.random.default_rng(0)
    images = []
    for width, height in _SIZES:
        noise = Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))
        # Blurring leaves greys alone, which most rules treat alike; stretched, they reach black and white again.
        images.append(_png(ImageOps.autocontrast(noise.filter(ImageFilter.GaussianBlur(3)))))
    return tuple(images)


@cache
def _pages() -> tuple[bytes, ...]:
    """Several texts each, one below the other, in black on white."""
    return tuple(_png(_page(size, turn)) for turn, size in enumerate(_PAGES))


def _page(size: tuple[int, int], turn: int) -> Image.Image:
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(_LETTERS)
    for row, top in enumerate(range(_LETTERS, size[1] - 2 * _LETTERS, 3 * _LETTERS)):
        text = _TEXTS[(row + turn) % len(_TEXTS)]
        draw.text((_LETTERS, top), text[: size[0] // _LETTERS], fill="black", font=font)
    return page


@cache
def _lines() -> tuple[bytes, ...]:
    """A text each, in black on white."""
    font = ImageFont.load_default(_LETTERS)
    images = []
    for text in _TEXTS:
        left, top, right, bottom = map(int, font.getbbox(text))
        line = Image.new("RGB", (right - left + 8, bottom - top + 8), "white")
        ImageDraw.Draw(line).text((4 - left, 4 - top), text, fill="black", font=font)
        images.append(_png(line))
    return tuple(images)


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
