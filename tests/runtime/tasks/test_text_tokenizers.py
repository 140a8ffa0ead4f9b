"""The two ways to tokenize: they agree wherever both can, and everything else goes to the library."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wordpiece import hugging_face_tokenizer
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from tundish.errors import BundleError
from tundish.tasks.text_tokenizers import (
    LibraryTokenizer,
    NativeWordPiece,
    Side,
    TextTokenizer,
    TokenizedText,
    load_text_tokenizer,
)

TEXTS = ["", "The cat's [MASK].", "Ünbelievably 東京 e\u0301\0", "day Day foo  bar", "a" * 101, "a b c d e f g h"]


def load(path: Path, maximum: int = 8, side: Side = "right") -> TextTokenizer[TokenizedText]:
    return load_text_tokenizer(path, maximum_tokens=maximum, truncation_side=side)


def assert_agree(
    made: TextTokenizer[TokenizedText], path: Path, text: str, maximum: int = 8, side: Side = "right"
) -> None:
    library = LibraryTokenizer(Tokenizer.from_file(str(path)), maximum, side)
    for pair in (None, text, f"{text} {text}"):
        expected, got = library.tokenize(text, pair), made.tokenize(text, pair)
        assert got.ids.dtype == expected.ids.dtype == got.type_ids.dtype == expected.type_ids.dtype
        assert got.ids.tolist() == expected.ids.tolist()
        assert got.type_ids.tolist() == expected.type_ids.tolist()
        assert got.truncated == expected.truncated


@pytest.fixture(scope="module")
def published(minilm_directory: Path) -> Path:
    return minilm_directory / "tokenizer.json"


@pytest.fixture(scope="module")
def published_tokenizers(published: Path) -> dict[tuple[int, Side], TextTokenizer[TokenizedText]]:
    sides: list[Side] = ["left", "right"]
    return {(maximum, side): load(published, maximum, side) for maximum in (2, 3, 9, 128) for side in sides}


@settings(max_examples=200, deadline=None)
@given(data=st.data(), text=st.text(max_size=200))
def test_both_agree_on_a_published_vocabulary(
    published: Path,
    published_tokenizers: dict[tuple[int, Side], TextTokenizer[TokenizedText]],
    data: st.DataObject,
    text: str,
) -> None:
    maximum, side = data.draw(st.sampled_from(list(published_tokenizers)))
    made = published_tokenizers[maximum, side]
    assert isinstance(made, NativeWordPiece)
    library = library_tokenizer(published, maximum, side)
    expected, got = library.tokenize(text), made.tokenize(text)
    assert got.ids.tolist() == expected.ids.tolist()
    assert got.type_ids.tolist() == expected.type_ids.tolist()
    assert got.truncated == expected.truncated


@functools.cache
def library_tokenizer(path: Path, maximum: int, side: Side) -> LibraryTokenizer:
    return LibraryTokenizer(Tokenizer.from_file(str(path)), maximum, side)


def save(tokenizer: Tokenizer, directory: Path) -> Path:
    path = directory / "tokenizer.json"
    tokenizer.save(str(path))
    return path


NATIVE: dict[str, Callable[[], Tokenizer]] = {
    "uncased": hugging_face_tokenizer,
    "cased": lambda: hugging_face_tokenizer(lowercase=False, strip=False),
    "BertProcessing": lambda: hugging_face_tokenizer(template="bert"),
    "RobertaProcessing": lambda: hugging_face_tokenizer(template="roberta"),
    "no special tokens": lambda: hugging_face_tokenizer(template=None),
    "added tokens": lambda: hugging_face_tokenizer(
        added=[
            AddedToken("day"),
            AddedToken("foo bar", lstrip=True, normalized=False),
            AddedToken("<x>", single_word=True),
        ]
    ),
}


@pytest.mark.parametrize("name", list(NATIVE))
def test_tokenizers_like_bert_are_native(tmp_path: Path, name: str) -> None:
    path = save(NATIVE[name](), tmp_path)
    made = load(path)
    assert isinstance(made, NativeWordPiece)
    for text in TEXTS:
        assert_agree(made, path, text)


def changed(**settings: Any) -> Tokenizer:
    made = hugging_face_tokenizer()
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def bpe() -> Tokenizer:
    made = Tokenizer(models.BPE({"[UNK]": 0, "a": 1, "b": 2, "ab": 3}, [("a", "b")], unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


OTHERS: dict[str, Callable[[], Tokenizer]] = {
    "another model": bpe,
    "another normalizer": lambda: changed(normalizer=normalizers.Lowercase()),
    "several normalizers": lambda: changed(normalizer=normalizers.Sequence([normalizers.BertNormalizer()])),
    "no normalizer": lambda: changed(normalizer=None),
    "another pre-tokenizer": lambda: changed(pre_tokenizer=pre_tokenizers.Whitespace()),
    "no pre-tokenizer": lambda: changed(pre_tokenizer=None),
    "another post-processor": lambda: changed(post_processor=processors.ByteLevel()),
    "a letter that a post-processor takes for a blank": lambda: hugging_face_tokenizer(template="roberta", extra=["Ġ"]),
    "a template that has the text twice": lambda: changed(
        post_processor=processors.TemplateProcessing("$A $A", "$A $B", special_tokens=[])
    ),
    "very long words": lambda: hugging_face_tokenizer(maximum=5000),
    "an added token of blanks": lambda: hugging_face_tokenizer(added=[AddedToken(" x ", normalized=False)]),
    "added tokens that are alike": lambda: hugging_face_tokenizer(added=[AddedToken("Day"), AddedToken("DAY")]),
    "no unknown token": lambda: changed(model=models.WordPiece({"a": 0, "day": 1, "[CLS]": 2, "[SEP]": 3})),
}


@pytest.mark.parametrize("name", list(OTHERS))
def test_every_other_kind_is_left_to_the_library(tmp_path: Path, name: str) -> None:
    path = save(OTHERS[name](), tmp_path)
    made = load(path)
    assert isinstance(made, LibraryTokenizer)
    assert_agree(made, path, "a day")


def test_a_token_that_is_there_twice_is_left_to_the_library(tmp_path: Path) -> None:
    path = save(hugging_face_tokenizer(), tmp_path)
    content = json.loads(path.read_text("utf-8"))
    mask = content["added_tokens"][-1]
    content["added_tokens"].append({**mask, "normalized": True, "special": False})
    path.write_text(json.dumps(content))
    assert isinstance(load(path), LibraryTokenizer)


def test_a_limit_below_the_special_tokens_is_left_to_the_library(tmp_path: Path) -> None:
    path = save(hugging_face_tokenizer(), tmp_path)
    assert isinstance(load(path, maximum=2), NativeWordPiece)
    assert isinstance(load(path, maximum=1), LibraryTokenizer)


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"tokenizer\.json is not a tokenizer"):
        load(tmp_path / "tokenizer.json")
