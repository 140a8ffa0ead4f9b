"""What a model is measured on: the user's own inputs, or made ones that its task accepts.

A bundle keeps none of the data it was exported with. Made images are JPEGs of twice the model's size with a
photograph's spectrum, made texts are words of the tokenizer's vocabulary, 8 to 256 tokens long. They cost what real
ones cost; what the model says of them means nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

from tundish.bundle import Bundle
from tundish.errors import InvalidInputError
from tundish.manifest import (
    EdgeRangeResize,
    ImagePreprocess,
    ImageTextPreprocess,
    InputName,
    LineResize,
    MaskPostprocess,
    ShortestEdgeResize,
    TextPreprocess,
)
from tundish.tasks import Item, parts_of
from tundish.tasks.pages import made_page
from tundish.tasks.registry import load_task

MADE = 32
"""How many inputs are made."""

MAX_READ = 512
"""How many of the user's are used."""

_Readable = ImagePreprocess | TextPreprocess | ImageTextPreprocess
"""Of what can be made up."""

_TOKENS = (8, 256)
_FEW_WORDS = 8
"""Of a query or a question."""
_MAX_SIDE = 2048
_SLOPE = 1.2
_PHOTOGRAPH = (4, 3)
"""The proportions of a photograph."""
_SEED = 20


def made_inputs(bundle: Bundle) -> list[Item]:
    """The same for the same bundle, always.

    Raises:
        BundleError: the bundle does not fit its task.
        InvalidInputError: the model does not read what was made.
    """
    made = _made(bundle, _rule(bundle))
    return _checked(bundle, ((f"made input {number}", item) for number, item in enumerate(made)))


def _made(bundle: Bundle, rule: _Readable) -> Sequence[Item]:
    match rule:
        case ImagePreprocess():
            return _images(rule)
        case TextPreprocess():
            return _texts(bundle, rule)
        case ImageTextPreprocess(image=image, text=text):
            pairs = zip(_images(image), _texts(bundle, text), strict=True)
            return [(photograph, *parts_of(asked)) for photograph, asked in pairs]


def read_inputs(bundle: Bundle, path: Path) -> list[Item]:
    """The first `MAX_READ` images of a directory, or lines of a UTF-8 text file, as the model's task takes.

    The parts of a model that reads two stand in one line, with a tab between; an image or a page is a path beside the
    file.

    Raises:
        BundleError: the bundle does not fit its task.
        InvalidInputError: there is nothing to read, or the model cannot read it.
    """
    rule = _rule(bundle)
    texts = not isinstance(rule, ImagePreprocess)
    named: list[tuple[str, Item]]
    try:
        if texts:
            lines = [line for line in path.read_text("utf-8").splitlines() if line]
            named = [(f"{path}: '{line[:40]}'", _item(line, rule.reads, path)) for line in lines[:MAX_READ]]
        else:
            files = sorted(file for file in path.iterdir() if file.is_file())
            named = [(str(file), file.read_bytes()) for file in files[:MAX_READ]]
    except (OSError, UnicodeDecodeError) as error:
        wanted = "a UTF-8 file with a text a line" if texts else "a directory of images"
        found = error.strerror if isinstance(error, OSError) else f"its byte {error.start} is not UTF-8"
        raise InvalidInputError(f"{path} must be {wanted}: {found}.") from None
    if not named:
        raise InvalidInputError(f"{path} holds nothing to measure on; give some {'texts' if texts else 'images'}.")
    return _checked(bundle, iter(named))


def _item(line: str, reads: Sequence[InputName], path: Path) -> Item:
    if len(reads) == 1:
        return line.encode()
    parts = line.split("\t")
    if len(parts) != len(reads):
        raise InvalidInputError(f"'{line[:40]}' must be {' and '.join(reads)} with a tab between.")
    return tuple(
        _content(path.parent / part) if name in ("image", "page") else part.encode()
        for name, part in zip(reads, parts, strict=True)
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}.") from None


def _rule(bundle: Bundle) -> _Readable:
    """How the model reads its inputs."""
    manifest = bundle.manifest
    rule = manifest.of_variant(manifest.servable[0]).preprocess
    if not isinstance(rule, _Readable):
        raise InvalidInputError(
            f"'{manifest.model}' takes no images or texts, and nothing else can be made up; serve it with --instances."
        )
    return rule


def _checked(bundle: Bundle, named: Iterator[tuple[str, Item]]) -> list[Item]:
    manifest = bundle.manifest
    task = load_task(manifest.of_variant(manifest.servable[0]), bundle.directory)
    items = []
    for name, item in named:
        try:
            task.prepare(item)
        except InvalidInputError as error:
            raise InvalidInputError(f"{name} cannot be measured on: {error}") from None
        items.append(item)
    return items


def _images(rule: ImagePreprocess) -> list[bytes]:
    generator = np.random.default_rng(_SEED)
    height, width = _made_size(rule)
    return [made_photograph(generator, height, width) for _ in range(MADE)]


def _made_size(rule: ImagePreprocess) -> tuple[int, int]:
    """Twice the height and width of what the model sees, of a photograph where that depends on the image.

    Pages of text are as large as the smallest that is not enlarged: larger ones are larger to the network, too.
    """
    resize, (across, along) = rule.resize, _PHOTOGRAPH
    if isinstance(resize, EdgeRangeResize):
        return resize.shortest, resize.shortest * across // along
    if isinstance(resize, LineResize):
        height, width = resize.height, resize.shortest
    elif isinstance(resize, ShortestEdgeResize) and not rule.has_one_size:
        longer = resize.length * across // along
        height, width = resize.length, min(longer, resize.longest or longer)
    else:
        height, width = rule.size
    return min(2 * height, _MAX_SIDE), min(2 * width, _MAX_SIDE)


def made_photograph(generator: np.random.Generator, height: int, width: int) -> bytes:
    """A JPEG of noise with the mean spectrum of natural images, by Tolhurst, Tadmor and Chao, 1992."""
    frequencies = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width))
    frequencies[0, 0] = np.inf
    channels = []
    for _ in range(3):
        spectrum = np.fft.rfft2(generator.standard_normal((height, width))) / frequencies**_SLOPE
        noise = np.fft.irfft2(spectrum, (height, width))
        channels.append(128 + 48 * noise / max(float(noise.std()), 1e-6))
    # Brightness varies more than colour.
    gray = channels[0]
    pixels = np.stack([0.8 * gray + 0.2 * channel for channel in channels], axis=2)
    stream = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _texts(bundle: Bundle, rule: TextPreprocess) -> list[Item]:
    generator = np.random.default_rng(_SEED)
    vocabulary = Tokenizer.from_file(str(bundle.path(rule.tokenizer))).get_vocab()
    # Whole words, by the marks that tokenizers put before them.
    stripped = (token.lstrip("▁Ġ") for token in sorted(vocabulary))
    words = [word for word in stripped if len(word) > 2 and word.isascii() and word.isalpha()] or ["word"]
    low, high = _TOKENS
    lengths = np.exp(np.linspace(np.log(low), np.log(max(low, min(high, rule.maximum_tokens))), MADE))
    generator.shuffle(lengths)
    drawn = [generator.choice(words, max(1, round(length) - 2)).astype(object) for length in lengths]
    postprocess = bundle.manifest.postprocess
    if isinstance(postprocess, MaskPostprocess):
        for text in drawn:
            text[0] = postprocess.mask_token
    return [_split(text, rule.reads) for text in drawn]


def _split(words: NDArray[np.object_], reads: Sequence[InputName]) -> Item:
    """The words as a text, or as so many of about the same length; as a query or question are few of them."""
    if len(reads) == 1:
        return " ".join(words).encode()
    few = min(_FEW_WORDS, len(words) // 2) if reads[0] in ("query", "question") else len(words) // 2
    first, second = (" ".join(part).encode() or b"word" for part in (words[:few], words[few:]))
    return first, made_page(second.decode().split()) if reads[1] == "page" else second
