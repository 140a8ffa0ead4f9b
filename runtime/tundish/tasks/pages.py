"""Pages: their words with the places of these, as an optical character recognition finds them.

A page comes as JSON, as `tundish.inputs.Page` has it; what else stands in it, such as how sure the recognition is, is
left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from tundish.errors import InvalidInputError
from tundish.tasks.document_reading import ReadLine
from tundish.tasks.region_cutting import runs_down
from tundish.tasks.tokenizing import decoded

SIDE = 1000
"""The width and the height of a page in what networks read places in."""

_Extent = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_MADE_PAGE = (850, 1100)
_MADE_WORD = (60, 14)
_MADE_STEP = (80, 20)
"""Width and height of a page that is made up, of its words, and of what each takes with the space around it."""


class _Word(BaseModel):
    text: str
    box: tuple[float, float, float, float]


class _Page(BaseModel):
    width: _Extent
    height: _Extent
    words: Annotated[list[_Word], Field(min_length=1)]


@dataclass(frozen=True, slots=True, eq=False)
class PageWords:
    """The words of a page in their order."""

    words: tuple[str, ...]
    boxes: NDArray[np.int64]
    """`[words, 4]`: left, top, right and bottom in thousandths of the page's width and height, cut to whole ones as
    transformers cuts them."""


def read_page(data: bytes) -> PageWords:
    """The page of a JSON text in UTF-8.

    Raises:
        InvalidInputError: it is no such text, has no words, or a word does not stand on the page.
    """
    try:
        page = _Page.model_validate_json(decoded(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidInputError(
            f"The page is not JSON of the form {{width, height, words: [{{text, box: [left, top, right, bottom]}}]}}: "
            f"{place and f'{place}: '}{first['msg']}."
        ) from None
    boxes = np.array([word.box for word in page.words])
    _check_places(page, boxes)
    shares = SIDE * (boxes / [page.width, page.height, page.width, page.height])
    return PageWords(tuple(word.text for word in page.words), shares.astype(np.int64))


def _check_places(page: _Page, boxes: NDArray[np.float64]) -> None:
    left, top, right, bottom = boxes.T
    # Not a number is neither.
    inside = (left >= 0) & (top >= 0) & (left <= right) & (top <= bottom)
    inside &= (right <= page.width) & (bottom <= page.height)
    if not inside.all():
        place = int(np.argmin(inside))
        word = page.words[place]
        raise InvalidInputError(
            f"Word {place} of the page, '{word.text[:40]}', has the box {list(word.box)}: left, top, right and bottom "
            f"must lie in order on the page of {page.width:g} x {page.height:g}."
        )


def page_of(size: tuple[int, int], lines: Sequence[ReadLine]) -> bytes:
    """The page of the lines that were read in an image of this height and width, as `read_page` reads it.

    A line is cut at its spaces, and each word has as much of its length as it has of its characters.

    Raises:
        InvalidInputError: there are no words.
    """
    words = [word for each in lines for word in _words_of(each, size)]
    if not words:
        raise InvalidInputError("No words were read in the image, so that there is nothing to ask about.")
    return json.dumps({"width": size[1], "height": size[0], "words": words}, ensure_ascii=False).encode()


def _words_of(read: ReadLine, size: tuple[int, int]) -> list[dict[str, Any]]:
    corners, text = read.line.corners, read.line.text
    first, second, third, fourth = corners[2:] + corners[:2] if read.upside_down else corners
    begin, end = (first, fourth), (second, third)
    if runs_down(corners):
        begin, end = (first, second), (fourth, third)
    words = []
    for word in re.finditer(r"\S+", text):
        shares = [place / len(text) for place in word.span()]
        places = [
            (start.x + share * (stop.x - start.x), start.y + share * (stop.y - start.y))
            for share in shares
            for start, stop in zip(begin, end, strict=True)
        ]
        across, down = (
            [min(max(number, 0), most) for number in numbers]
            for numbers, most in zip(zip(*places, strict=True), size[::-1], strict=True)
        )
        words.append({"text": word.group(), "box": [min(across), min(down), max(across), max(down)]})
    return words


def made_page(words: Sequence[str]) -> bytes:
    """A page that is made up of these words: in lines from the left to the right, the last ones upon each other."""
    columns = _MADE_PAGE[0] // _MADE_STEP[0]
    lines = _MADE_PAGE[1] // _MADE_STEP[1]
    placed = []
    for number, word in enumerate(words):
        left, top = number % columns * _MADE_STEP[0], min(number // columns, lines - 1) * _MADE_STEP[1]
        placed.append({"text": word, "box": [left, top, left + _MADE_WORD[0], top + _MADE_WORD[1]]})
    page = {"width": _MADE_PAGE[0], "height": _MADE_PAGE[1], "words": placed}
    return json.dumps(page, ensure_ascii=False).encode()
