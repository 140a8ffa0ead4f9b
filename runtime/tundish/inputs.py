"""What programs hand over as an image or a text, and the bytes that models read."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tundish.errors import InvalidInputError
from tundish.manifest import InputName, ListInput
from tundish.tasks import ItemPart

ImageInput = str | os.PathLike[str] | bytes | NDArray[np.uint8]
"""A path, the content of an image file, or `[height, width, 3] uint8` RGB pixels."""


class Word(TypedDict):
    """A word of a page, or what else stands together on it, such as a line."""

    text: str
    box: Sequence[float]
    """Left, top, right and bottom, in the unit of the page's width and height."""


class Page(TypedDict):
    """The words of a page in the order in which people read them, as an optical character recognition finds them."""

    width: float
    height: float
    words: Sequence[Word]


PageInput = str | os.PathLike[str] | bytes | Page
"""A path, the content of a JSON file, or what is in one."""


class Inputs(TypedDict, total=False):
    """What is asked about: the parts that the model reads, which for most models is one."""

    image: ImageInput
    text: str
    text_pair: str
    """The second text of a model that compares two."""
    question: str
    context: str
    """The text in which the answer to the question stands."""
    query: str
    """What texts are ranked by."""
    page: PageInput
    """What a question to a document is about."""
    candidate_labels: Sequence[str]
    """What an image is compared with."""
    prompts: Sequence[Mapping[str, Any] | str]
    """What is to be segmented, by points, a box or both: `{"points": [(x, y), …], "labels": [1, …], "box": (left, top,
    right, bottom)}` each, or as JSON; see `tundish.tasks.prompts.Prompt`."""


INPUT_NAMES: tuple[InputName, ...] = (
    "image",
    "text",
    "text_pair",
    "question",
    "context",
    "query",
    "page",
    "candidate_labels",
    "prompts",
)
"""All there are."""
LISTS: frozenset[str] = frozenset(get_args(ListInput))
"""Those that are several texts."""


def read_inputs(inputs: Inputs) -> dict[InputName, ItemPart]:
    """The bytes of each part that is given.

    Raises:
        InvalidInputError: there is a part of another name, a file cannot be read, or pixels have another form.
    """
    given: dict[str, Any] = dict(inputs)
    if unknown := [name for name in given if name not in INPUT_NAMES]:
        raise InvalidInputError(f"There is no input '{unknown[0]}'; there are {', '.join(INPUT_NAMES)}.")
    return {name: _read(name, given[name]) for name in INPUT_NAMES if name in given}


def read_list(text: str) -> list[str]:
    """The texts of a list that is written as one text, with commas between."""
    return [each.strip() for each in text.split(",") if each.strip()]


def _read(name: InputName, value: Any) -> ItemPart:
    if name in LISTS:
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            raise InvalidInputError(f"The {name} are a list, got {str(value)[:40]!r} alone; put it into one.")
        return tuple(_read_text(name, each if isinstance(each, str) else _as_json(name, each)) for each in value)
    match name:
        case "image":
            return _read_image(value)
        case "page":
            return _read_page(value)
        case _:
            return _read_text(name, value)


def _read_text(name: InputName, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(f"The {name} holds half a surrogate pair, which UTF-8 cannot carry.") from None


def _read_page(page: PageInput) -> bytes:
    if isinstance(page, Mapping):
        return _read_text("page", _as_json("page", page))
    if not isinstance(page, str | os.PathLike | bytes):
        raise InvalidInputError(f"The page is a path, JSON or a dictionary, got a {type(page).__name__}.")
    data = page if isinstance(page, bytes) else _read_file("page", page)
    try:
        data.decode()
    except UnicodeDecodeError:
        raise InvalidInputError(f"The page is JSON in UTF-8; what was given begins with {data[:8].hex(' ')}.") from None
    return data


def _as_json(name: InputName, value: Any) -> str:
    def plain(element: Any) -> Any:
        """What recognitions compute places in, as JSON has it."""
        if isinstance(element, np.ndarray | np.generic):
            return element.tolist()
        raise InvalidInputError(f"The part {name} holds a {type(element).__name__}, which JSON cannot carry.")

    return json.dumps(value, ensure_ascii=False, default=plain)


def _read_image(image: ImageInput) -> bytes:
    if isinstance(image, bytes):
        return image
    return _encode_pixels(image) if isinstance(image, np.ndarray) else _read_file("image", image)


def _read_file(name: InputName, path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidInputError(f"The {name} {path} cannot be read: {error.strerror}.") from None


def _encode_pixels(pixels: NDArray[np.uint8]) -> bytes:
    """A BMP file: the wire carries files, and this one is the pixels with a header."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise InvalidInputError(
            f"Pixels must be [height, width, 3] uint8 RGB, got {list(pixels.shape)} {pixels.dtype}."
        )
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "BMP")
    return stream.getvalue()
