"""Pages are read from JSON, their boxes cut to thousandths as transformers cuts them, and refused by what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.pipelines import document_question_answering

from tundish.errors import InvalidInputError
from tundish.inputs import read_inputs
from tundish.results import Point, TextLine
from tundish.tasks.document_reading import ReadLine
from tundish.tasks.pages import made_page, page_of, read_page

normalize_box: Any = document_question_answering.normalize_box
extents = st.integers(1, 5000) | st.floats(0.5, 5000)


def page(*words: Any, width: Any = 100, height: Any = 50) -> bytes:
    return json.dumps({"width": width, "height": height, "words": words}).encode()


@given(
    width=extents, height=extents, shares=st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=5),
    whole=st.booleans(),
)  # fmt: skip
def test_boxes_are_cut_as_transformers_cuts_them(
    width: float, height: float, shares: list[tuple[float, ...]], whole: bool
) -> None:
    boxes = []
    for left, top, right, bottom in shares:
        corners = [
            min(left, right) * width,
            min(top, bottom) * height,
            max(left, right) * width,
            max(top, bottom) * height,
        ]
        boxes.append([float(int(edge)) for edge in corners] if whole else corners)
    read = read_page(page(*({"text": "a", "box": box} for box in boxes), width=width, height=height))
    assert read.boxes.tolist() == [normalize_box(box, width, height) for box in boxes]


def test_thousandths_stay_as_they_are() -> None:
    boxes = [[edge, edge, 1000, 1000] for edge in range(1001)]
    read = read_page(page(*({"text": "a", "box": box} for box in boxes), width=1000, height=1000))
    assert read.boxes.tolist() == boxes


def test_words_keep_their_order_and_what_else_is_said_is_left_alone() -> None:
    words = [{"text": text, "box": [0, 0, 100, 50], "score": 0.5} for text in ("Größe", "", "7")]
    assert read_page(page(*words)).words == ("Größe", "", "7")


WORD = {"text": "Total", "box": [10, 10, 20, 20]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"not JSON of the form \{width, height, words: .*Invalid JSON"),
        (b"\xff", "The text is not UTF-8: byte 0xff at position 0"),
        (b"[" * 10_000, "Invalid JSON"),
        (b"[]", "is not JSON of the form"),
        (page(), "words: List should have at least 1 item"),
        (page(WORD, width=0), "width: Input should be greater than 0"),
        (page(WORD, height=float("inf")), "height: Input should be a finite number"),
        (page({"text": "a"}), r"words\.0\.box: Field required"),
        (page(WORD, {"text": "a", "box": [1, 2, 3]}), r"words\.1\.box\.3: Field required"),
        (page({"text": 7, "box": [1, 2, 3, 4]}), r"words\.0\.text: Input should be a valid string"),
        (
            page(WORD, WORD | {"box": [30, 10, 20, 20]}),
            r"Word 1 of the page, 'Total', has the box \[30.0, 10.0, 20.0, 20.0\]: left, top, right and bottom must "
            "lie in order on the page of 100 x 50",
        ),
        (page(WORD | {"box": [0, 0, 20, 51]}), "Word 0 of the page"),
        (page(WORD | {"box": [0, 0, 101, 50]}), "Word 0 of the page"),
        (page(WORD | {"box": [-1, 0, 20, 20]}), "Word 0 of the page"),
        (page(WORD | {"box": [0, 30, 20, 20]}), "Word 0 of the page"),
        (page(WORD | {"box": [0, float("nan"), 20, 20]}), "Word 0 of the page"),
    ],
)
def test_what_is_no_page_is_refused_in_one_sentence(data: bytes, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said) as raised:
        read_page(data)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("count", [1, 10, 11, 2000])
def test_made_pages_are_read(count: int) -> None:
    words = [f"word{number}" for number in range(count)]
    read = read_page(made_page(words))
    assert read.words == tuple(words)
    left, top, right, bottom = read.boxes.T
    assert (left < right).all()
    assert (top < bottom).all()
    assert len(np.unique(read.boxes, axis=0)) == min(count, 550)


def test_boxes_may_be_arrays() -> None:
    given: Any = {
        "width": np.int64(100),
        "height": 50,
        "words": [{"text": "é", "box": np.array([10, 5, 20, 25], np.float32)}],
    }
    part = read_inputs({"page": given})["page"]
    assert isinstance(part, bytes)
    assert read_page(part).boxes.tolist() == [[100, 100, 200, 500]]
    with pytest.raises(InvalidInputError, match="The part page holds a set, which JSON cannot carry"):
        read_inputs({"page": given | {"width": {100}}})


def test_what_is_no_page_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="The page is a path, JSON or a dictionary, got a list"):
        read_inputs({"page": [1]})  # type: ignore[typeddict-item]
    photograph = tmp_path / "photograph.jpg"
    photograph.write_bytes(bytes.fromhex("ffd8ffe0"))
    with pytest.raises(InvalidInputError, match="The page is JSON in UTF-8; what was given begins with ff d8 ff e0"):
        read_inputs({"page": photograph})


def line(text: str, *corners: tuple[float, float], upside_down: bool = False) -> ReadLine:
    first, second, third, fourth = (Point(*corner) for corner in corners)
    return ReadLine(TextLine(text, 0.9, (first, second, third, fourth)), upside_down)


LEVEL = ((10.0, 20.0), (90.0, 20.0), (90.0, 30.0), (10.0, 30.0))
FALLING = ((10.0, 10.0), (90.0, 50.0), (86.0, 58.0), (6.0, 18.0))
UPRIGHT = ((60.0, 10.0), (70.0, 10.0), (70.0, 90.0), (60.0, 90.0))


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (line("ab cde g", *LEVEL), {"ab": [10, 20, 30, 30], "cde": [40, 20, 70, 30], "g": [80, 20, 90, 30]}),
        (line("  ab  d ", *LEVEL), {"ab": [30, 20, 50, 30], "d": [70, 20, 80, 30]}),
        (line("ab g", *LEVEL, upside_down=True), {"ab": [50, 20, 90, 30], "g": [10, 20, 30, 30]}),
        (line("abc efgh", *FALLING), {"abc": [6, 10, 40, 33], "efgh": [46, 30, 90, 58]}),
        (line("ab cde g", *UPRIGHT), {"ab": [60, 10, 70, 30], "cde": [60, 40, 70, 70], "g": [60, 80, 70, 90]}),
        (line("ab g", *UPRIGHT, upside_down=True), {"ab": [60, 50, 70, 90], "g": [60, 10, 70, 30]}),
        (line("ab", (-5.0, 90.0), (200.0, 90.0), (200.0, 130.0), (-5.0, 130.0)), {"ab": [0, 90, 100, 120]}),
    ],
)
def test_words_of_a_line_have_as_much_of_it_as_of_its_characters(read: ReadLine, words: dict[str, list[float]]) -> None:
    made = json.loads(page_of((120, 100), [read]))
    assert (made["width"], made["height"]) == (100, 120)
    assert {word["text"]: word["box"] for word in made["words"]} == {
        text: pytest.approx(box) for text, box in words.items()
    }
    assert read_page(json.dumps(made).encode()).words == tuple(words)


@pytest.mark.parametrize("lines", [[], [line(" ", *LEVEL)]])
def test_a_page_has_words(lines: list[ReadLine]) -> None:
    with pytest.raises(InvalidInputError, match="No words were read in the image"):
        page_of((120, 100), lines)
