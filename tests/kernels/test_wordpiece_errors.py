"""Every argument that wordpiece refuses, with the sentence that it says; nothing is written."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tundish_kernels import (
    AddedToken,
    Tokens,
    WordPiece,
    wordpiece,
    wordpiece_capacity,
    wordpiece_from_json,
    wordpiece_into,
)

VOCABULARY = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "##b": 4}
TOKENIZER = WordPiece(VOCABULARY, single=[(1, 0), ("A", 0), (2, 0)], pair=[(1, 0), ("A", 0), (2, 0), ("B", 1), (2, 1)])


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"vocabulary": ["a"]}, TypeError, "vocabulary must be a mapping of strings to integers, got list"),
        ({"vocabulary": {"[UNK]": 0, 3: 1}}, TypeError, "a subword must be a string, got 3"),
        ({"vocabulary": {"[UNK]": 0.5}}, TypeError, "an id must be an integer, got 0.5"),
        ({"vocabulary": {"[UNK]": -1}}, ValueError, "an id must be between 0 and 2147483647, got -1"),
        ({"vocabulary": {"[UNK]": 2**31}}, ValueError, "an id must be between 0 and 2147483647, got 2147483648"),
        (
            {"vocabulary": {"[UNK]": 0, "\ud800": 1}},
            ValueError,
            "a subword must be UTF-8, got a lone surrogate in '\\ud800'",
        ),
        ({"vocabulary": {}}, ValueError, "the vocabulary must hold the unknown token, got none that is '[UNK]'"),
        (
            {"unknown_token": "<unk>"},
            ValueError,
            "the vocabulary must hold the unknown token, got none that is '<unk>'",
        ),
        ({"unknown_token": None}, TypeError, "unknown_token must be a string, got None"),
        ({"continuing_prefix": 3}, TypeError, "continuing_prefix must be a string, got 3"),
        (
            {"maximum_word_characters": 1001},
            ValueError,
            "maximum_word_characters must be between 0 and 1000, got 1001",
        ),
        ({"maximum_word_characters": -1}, ValueError, "maximum_word_characters must be between 0 and 1000, got -1"),
        ({"added_tokens": 3}, TypeError, "added_tokens must be a sequence, got int"),
        ({"added_tokens": ["[SEP]"]}, TypeError, "added_tokens[0] must be an AddedToken, got '[SEP]'"),
        (
            {"added_tokens": [AddedToken("[SEP]", 7)]},
            ValueError,
            "added_tokens[0] must have the vocabulary's id (2), got 7",
        ),
        (
            {"added_tokens": [AddedToken("x", -1)]},
            ValueError,
            "added_tokens[0].id must be between 0 and 2147483647, got -1",
        ),
        (
            {"added_tokens": [AddedToken("x", 7), AddedToken("", 8)]},
            ValueError,
            "added_tokens[1] must not be empty once normalized, got ''",
        ),
        (
            {"added_tokens": [AddedToken("x", 7), AddedToken("x", 8)]},
            ValueError,
            "added_tokens[0] must differ from the others, got 'x'",
        ),
        (
            {"added_tokens": [AddedToken("X", 7, normalized=True), AddedToken("x", 8, normalized=True)]},
            ValueError,
            "added_tokens[0] must differ from the others, got 'x'",
        ),
        (
            {"added_tokens": [AddedToken("x ", 7)]},
            ValueError,
            "added_tokens[0] must not begin or end in whitespace once normalized, got 'x '",
        ),
        ({"single": 3}, TypeError, "single must be a sequence, got int"),
        ({"single": ["AB", 3]}, TypeError, "the type id of single[0] must be an integer, got 'B'"),
        ({"single": [("C", 0)]}, ValueError, "single[0] must be of text A or B, got 'C'"),
        ({"single": [("A", -1)]}, ValueError, "the type id of single[0] must be between 0 and 2147483647, got -1"),
        ({"single": [3]}, TypeError, "single[0] must be ('A', type), ('B', type) or (id, type), got 3"),
        ({"single": [("B", 0)]}, ValueError, "single must have the first text once and no second, got 0 and 1"),
        ({"pair": [("A", 0)]}, ValueError, "pair must have the first and the second text once each, got 1 and 0"),
    ],
)
def test_settings_that_are_refused(arguments: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as caught:
        WordPiece(**{"vocabulary": VOCABULARY, **arguments})
    assert str(caught.value) == sentence


INVALID = {
    b"\xff": (0xFF, 0),
    b"a\x80": (0x80, 1),
    b"abcdefgh\xc3": (0xC3, 8),
    b"\xc0\x80": (0xC0, 0),
    b"\xc1\xbf": (0xC1, 0),
    b"\xe0\x9f\xbf": (0xE0, 0),
    b"\xed\xa0\x80": (0xED, 0),
    b"\xf0\x8f\xbf\xbf": (0xF0, 0),
    b"\xf4\x90\x80\x80": (0xF4, 0),
    b"\xf5\x80\x80\x80": (0xF5, 0),
    b"\xe6\x9d": (0xE6, 0),
    b"\xc3(": (0xC3, 0),
}


@pytest.mark.parametrize("data", list(INVALID))
def test_bytes_that_are_not_utf8_are_refused_with_their_place(data: bytes) -> None:
    byte, position = INVALID[data]
    sentence = f"must be UTF-8, got byte 0x{byte:02x} at position {position}"
    with pytest.raises(ValueError, match=rf"^texts\[1\] {sentence}$"):
        wordpiece(TOKENIZER, ["ok", data])
    with pytest.raises(ValueError, match=rf"^pairs\[0\] {sentence}$"):
        wordpiece(TOKENIZER, ["ok"], [data])


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"tokenizer": None}, TypeError, "tokenizer must be a WordPiece, got NoneType"),
        ({"texts": "a text"}, TypeError, "texts must be a sequence of str or bytes, got str"),
        ({"texts": b"a text"}, TypeError, "texts must be a sequence of str or bytes, got bytes"),
        ({"texts": 3}, TypeError, "texts must be a sequence of str or bytes, got int"),
        ({"texts": ["a", None]}, TypeError, "texts[1] must be str or bytes, got NoneType"),
        ({"texts": ["a", "\udc80"]}, ValueError, "texts[1] must be UTF-8, got a lone surrogate"),
        ({"pairs": "b"}, TypeError, "pairs must be a sequence of str or bytes, got str"),
        ({"pairs": ["a", 3]}, TypeError, "pairs[1] must be str or bytes, got int"),
        ({"pairs": ["b"]}, ValueError, "pairs must be as many as texts (2), got 1"),
        ({"maximum_tokens": 1}, ValueError, "maximum_tokens must be at least the number of special tokens (2), got 1"),
        (
            {"maximum_tokens": 2, "pairs": ["", ""]},
            ValueError,
            "maximum_tokens must be at least the number of special tokens (3), got 2",
        ),
        ({"maximum_tokens": -1}, ValueError, "maximum_tokens must not be negative, got -1"),
        ({"maximum_tokens": 2.5}, TypeError, "maximum_tokens must be an integer, got 2.5"),
        (
            {"strategy": "longest"},
            ValueError,
            "strategy must be longest_first, only_first or only_second, got 'longest'",
        ),
        ({"strategy": None}, TypeError, "strategy must be a string, got None"),
        ({"side": "top"}, ValueError, "side must be left or right, got 'top'"),
    ],
)
def test_calls_that_are_refused(arguments: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as caught:
        wordpiece(**{"tokenizer": TOKENIZER, "texts": ["ab", "a"], **arguments})
    assert str(caught.value) == sentence


def destination(size: int = 7, **changed: Any) -> Tokens:
    arrays = (np.full(size, -7, np.int32), np.full(size, -7, np.int32), np.full(3, -7, np.int64), np.zeros(2, np.bool_))
    return Tokens(*arrays, np.full((size, 2), -7, np.int32), np.full(size, -7, np.int32))._replace(**changed)


READ_ONLY = np.zeros(7, np.int32)
READ_ONLY.flags.writeable = False
SHARED = np.zeros(7, np.int32)


@pytest.mark.parametrize(
    ("made", "error", "sentence"),
    [
        (None, TypeError, "destination must be Tokens, got NoneType"),
        (destination(6), ValueError, "destination.ids must be [7] int32, got (6,) int32"),
        (destination(ids=[0]), TypeError, "destination.ids must be [7] int32, got list"),
        (destination(ids=None), TypeError, "destination.ids must be [7] int32, got NoneType"),
        (destination(ids=np.zeros(7)), ValueError, "destination.ids must be [7] int32, got (7,) float64"),
        (
            destination(type_ids=np.zeros(8, np.int32)),
            ValueError,
            "destination.type_ids must be [7] int32, got (8,) int32",
        ),
        (destination(starts=np.zeros(2, np.int64)), ValueError, "destination.starts must be [3] int64, got (2,) int64"),
        (
            destination(truncated=np.zeros(2, np.uint8)),
            ValueError,
            "destination.truncated must be [2] bool, got (2,) uint8",
        ),
        (
            destination(offsets=np.zeros((7, 1), np.int32)),
            ValueError,
            "destination.offsets must be [7, 2] int32, got (7, 1) int32",
        ),
        (
            destination(word_ids=np.zeros(14, np.int32)[::2]),
            ValueError,
            "destination.word_ids must be [7] int32 in aligned C order, got strides (8,)",
        ),
        (
            destination(ids=READ_ONLY),
            ValueError,
            "destination.ids must be writable, got a read-only array",
        ),
        (
            destination(ids=SHARED, type_ids=SHARED),
            ValueError,
            "the arrays of the destination must lie apart, got memory that overlaps",
        ),
    ],
)
def test_destinations_that_are_refused(made: Any, error: type[Exception], sentence: str) -> None:
    before = [] if made is None else [array.copy() for array in made if isinstance(array, np.ndarray)]
    with pytest.raises(error) as caught:
        wordpiece_into(made, TOKENIZER, ["ab", "a"])
    assert str(caught.value) == sentence
    arrays = [] if made is None else [array for array in made if isinstance(array, np.ndarray)]
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_unaligned_arrays_are_refused() -> None:
    shifted = np.zeros(29, np.uint8)[1:].view(np.int32)
    with pytest.raises(ValueError, match=r"destination\.word_ids must be \[7\] int32 in aligned C order"):
        wordpiece_into(destination(word_ids=shifted), TOKENIZER, ["ab", "a"])


def test_a_wrong_text_leaves_the_destination_alone() -> None:
    made = destination(20)
    with pytest.raises(ValueError, match="byte 0xff"):
        wordpiece_into(made, TOKENIZER, [b"ab", b"\xff"])
    assert (made.ids == -7).all()
    assert (made.starts == -7).all()


def test_the_capacity_is_what_is_needed() -> None:
    assert wordpiece_capacity(TOKENIZER, ["ab", "a"]) == 7
    assert wordpiece_capacity(TOKENIZER, ["ab", "a"], ["", "abcd"], maximum_tokens=6) == 5 + 6
    assert wordpiece_capacity(TOKENIZER, ["ab", "a"], add_special_tokens=False) == 3


BERT: dict[str, Any] = {
    "added_tokens": [],
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
    "model": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": VOCABULARY,
    },
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("added_tokens", 3),
        ("added_tokens", [[]]),
        ("pre_tokenizer", None),
        ("post_processor", {"type": "BertProcessing", "sep": [], "cls": ["[CLS]", 1]}),
        ("post_processor", {"type": "BertProcessing", "sep": {}, "cls": ["[CLS]", 1]}),
        ("post_processor", {"type": "BertProcessing", "sep": ["[SEP]", None], "cls": ["[CLS]", 1]}),
        ("post_processor", {"type": "TemplateProcessing", "single": 1, "pair": [], "special_tokens": {}}),
        (
            "post_processor",
            {"type": "TemplateProcessing", "single": [{"Sequence": {}}], "pair": [], "special_tokens": {}},
        ),
        ("model", {**BERT["model"], "vocab": {"[UNK]": 2**70}}),
        ("model", {**BERT["model"], "unk_token": None}),
    ],
)
def test_json_of_another_tokenizer_is_a_value_error(name: str, value: Any) -> None:
    assert wordpiece_from_json(json.dumps(BERT))
    with pytest.raises(ValueError, match=r"\w"):
        wordpiece_from_json(json.dumps({**BERT, name: value}))


@pytest.mark.parametrize("content", ["", "[]", "{", b"\xff", "[" * 100_000])
def test_other_files_are_a_value_error(content: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        wordpiece_from_json(content)
