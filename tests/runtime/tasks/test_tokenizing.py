"""Tokenizing and padding, with transformers' tokenizers for the oracle."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import transformers
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.text_specs import TEXT_INPUTS, text_spec

from tundish.errors import BundleError, InvalidInputError
from tundish.manifest import TextPreprocess
from tundish.tasks.text_tokenizers import TokenizedText, load_text_tokenizer
from tundish.tasks.tokenizing import MAX_TEXT_BYTES, TextReader

load = functools.cache(load_text_tokenizer)  # what it loads is only read; examples would load a vocabulary each

Side = Literal["left", "right"]
SIDES: tuple[Side, ...] = ("left", "right")
sides = pytest.mark.parametrize("side", SIDES)

WORDS = (
    "the",
    "cat",
    "unbelievably!",
    "naïve",
    "Ünïted",
    "e\u0301",
    "東京",
    "😀",
    "👩\u200d👧",
    "don't",
    "[MASK]",
    "[SEP]",
)
words = st.sampled_from((*WORDS, "\t\n", "\u200b\ufeff", "\0"))
texts = st.one_of(st.text(max_size=60), st.lists(words, max_size=40).map(" ".join))
many_examples = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """What was loaded is not kept for the tests of other files."""
    yield
    load.cache_clear()


@pytest.fixture(scope="module")
def bundle_directory(minilm_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds MiniLM's tokenizer.json as it was published, with the truncation and padding that it came with."""
    directory = tmp_path_factory.mktemp("tokenizer")
    shutil.copy(minilm_directory / "tokenizer.json", directory)
    return directory


@pytest.fixture(scope="module")
def oracles(minilm_directory: Path) -> dict[Side, Any]:
    """transformers' tokenizer, which truncates and pads at the side."""
    load: Any = transformers.AutoTokenizer.from_pretrained
    return {side: load(minilm_directory, truncation_side=side, padding_side=side) for side in SIDES}


def reader(directory: Path, inputs: tuple[str, ...] = TEXT_INPUTS, **rule: Any) -> TextReader[TokenizedText]:
    preprocess = TextPreprocess(**{"maximum_tokens": 16, **rule})
    return TextReader(text_spec(preprocess, inputs), preprocess, directory, load)


@sides
@many_examples
@given(text=texts, maximum=st.integers(3, 32))
@example(text="", maximum=3)
@example(text="\0", maximum=16)
@example(text="a" * 300, maximum=16)
def test_a_text_is_tokenized_as_transformers_does(
    bundle_directory: Path, oracles: dict[Side, Any], side: Side, text: str, maximum: int
) -> None:
    read = reader(bundle_directory, maximum_tokens=maximum, truncation_side=side).read(text.encode())
    expected = oracles[side](text, truncation=True, max_length=maximum)
    assert read.ids.tolist() == expected["input_ids"]
    assert read.type_ids.tolist() == expected["token_type_ids"]
    assert read.truncated == (len(oracles[side](text)["input_ids"]) > maximum)


@sides
@many_examples
@given(text=texts, pair=texts.filter(bool), maximum=st.integers(3, 32))
@example(text="a b c d", pair="e", maximum=6)
@example(text="a", pair="b c d e", maximum=6)
@example(text="a b c d", pair="e f g h", maximum=8)
def test_two_texts_are_tokenized_as_one_sequence_as_transformers_does(
    bundle_directory: Path, oracles: dict[Side, Any], side: Side, text: str, pair: str, maximum: int
) -> None:
    made = reader(bundle_directory, maximum_tokens=maximum, truncation_side=side)
    expected = oracles[side](text, pair, truncation=True, max_length=maximum)
    read = made.read(text.encode(), pair.encode())
    assert read.ids.tolist() == expected["input_ids"]
    assert read.type_ids.tolist() == expected["token_type_ids"]
    assert read.truncated == (len(oracles[side](text, pair)["input_ids"]) > maximum)


@sides
@many_examples
@given(batch=st.lists(texts, min_size=1, max_size=6))
def test_a_batch_is_padded_as_transformers_does(
    bundle_directory: Path, oracles: dict[Side, Any], side: Side, batch: list[str]
) -> None:
    made = reader(bundle_directory, truncation_side=side, padding_side=side)
    items = [made.read(text.encode()) for text in batch]
    arrays = made.collate(items)
    expected = oracles[side](batch, truncation=True, max_length=16, padding=True, return_tensors="np")
    assert set(arrays) == set(TEXT_INPUTS)
    for name, array in arrays.items():
        assert array.dtype == np.int64
        np.testing.assert_array_equal(array, expected[name])
    np.testing.assert_array_equal(made.mask(items, arrays["input_ids"].shape[1]), expected["attention_mask"] == 1)


@pytest.mark.parametrize("text", ["The cat sat on the mat.", "Naïve café, 東京!", "unbelievably 12,345.67", "don't"])
def test_known_texts_are_tokenized_as_by_the_tokenizer_in_python(
    bundle_directory: Path, minilm_directory: Path, text: str
) -> None:
    in_python: Any = transformers.BertTokenizer.from_pretrained(minilm_directory)
    assert not in_python.is_fast
    read = reader(bundle_directory, maximum_tokens=64).read(text.encode())
    assert read.ids.tolist() == in_python(text)["input_ids"]
    assert not read.truncated


def test_padding_has_the_ids_of_the_rule(bundle_directory: Path) -> None:
    made = reader(bundle_directory, padding_id=7, padding_type_id=3)
    arrays = made.collate([made.read(b"one two three"), made.read(b"one")])
    assert arrays["input_ids"][1].tolist()[3:] == [7, 7]
    assert arrays["token_type_ids"].tolist() == [[0] * 5, [0, 0, 0, 3, 3]]
    assert arrays["attention_mask"].tolist() == [[1] * 5, [1, 1, 1, 0, 0]]


@pytest.mark.parametrize("inputs", [("input_ids",), ("attention_mask", "input_ids"), TEXT_INPUTS])
def test_a_network_gets_the_tensors_that_it_takes(bundle_directory: Path, inputs: tuple[str, ...]) -> None:
    made = reader(bundle_directory, inputs)
    assert tuple(made.collate([made.read(b"a text")])) == inputs


@sides
def test_a_mask_covers_positions_beyond_the_batch(bundle_directory: Path, side: Side) -> None:
    made = reader(bundle_directory, padding_side=side)
    items = [made.read(b"one two"), made.read(b"one")]
    kept = [[True] * 4 + [False] * 2, [True] * 3 + [False] * 3]
    assert made.mask(items, 6).tolist() == [row if side == "right" else row[::-1] for row in kept]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff", "The text is not UTF-8: byte 0xff at position 0."),
        ("Grüße".encode("latin-1"), "The text is not UTF-8: byte 0xfc at position 2."),
        ("東京".encode()[:-1], "The text is not UTF-8: byte 0xe4 at position 3."),
        (b"\xed\xa0\x80", "The text is not UTF-8: byte 0xed at position 0."),
        (b"\xc0\x80", "The text is not UTF-8: byte 0xc0 at position 0."),
    ],
)
def test_what_is_not_utf8_is_refused_with_its_place(bundle_directory: Path, data: bytes, said: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        reader(bundle_directory).read(data)
    assert str(caught.value) == said


def test_the_limit_of_bytes_is_the_last_that_is_read(bundle_directory: Path) -> None:
    made = reader(bundle_directory)
    assert not made.read(b" " * MAX_TEXT_BYTES).truncated
    with pytest.raises(InvalidInputError, match="has 4194305 bytes, the limit is 4194304"):
        made.read(b" " * (MAX_TEXT_BYTES + 1))


def empty_text_tokenizer(directory: Path) -> Path:
    """A tokenizer without special tokens, which makes nothing of nothing."""
    import tokenizers

    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"word": 0, "[UNK]": 1}, "[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save(str(directory / "tokenizer.json"))
    return directory


@pytest.mark.parametrize("text", [b"", b"  \n"])
def test_a_text_without_tokens_is_refused(tmp_path: Path, text: bytes) -> None:
    made = reader(empty_text_tokenizer(tmp_path))
    assert made.read(b"word other").ids.tolist() == [0, 1]
    with pytest.raises(InvalidInputError, match="makes no token of it"):
        made.read(text)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"version": "1.0"}', b"\xff\xfe"])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path, content: Sequence[int]) -> None:
    (tmp_path / "tokenizer.json").write_bytes(bytes(content))
    with pytest.raises(BundleError, match=r"tokenizer\.json is not a tokenizer"):
        reader(tmp_path)
