"""From one text to its tokens: by the native WordPiece where it does the same, else by Hugging Face's `tokenizers`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tundish.errors import BundleError
from tundish_kernels import WordPiece, wordpiece, wordpiece_capacity, wordpiece_from_json

Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True, eq=False)
class TokenizedText:
    """A text as its model reads it, special tokens included."""

    ids: NDArray[np.int32]
    type_ids: NDArray[np.int32]
    truncated: bool


@dataclass(frozen=True, slots=True, eq=False)
class LocatedText(TokenizedText):
    """Also says where in the text each token stands."""

    text: str
    spans: NDArray[np.int64]
    """`[tokens, 2]`: start and end of each token, in characters."""
    special: NDArray[np.bool_]
    """Tokens that the tokenizer put around the text."""
    continues: NDArray[np.bool_]
    """Tokens that continue the word of the token before."""


TextT = TypeVar("TextT", bound=TokenizedText)
MadeT = TypeVar("MadeT", bound=TokenizedText, covariant=True)


class TextTokenizer(Protocol[MadeT]):
    """Tokenizes truncated to the model's length."""

    def tokenize(self, text: str, pair: str | None = None, /) -> MadeT:
        """Of a text, or of two as one sequence; no tokens at all may come of it."""


class LoadTokenizer(Protocol[MadeT]):
    """Loads a tokenizer."""

    def __call__(self, path: Path, *, maximum_tokens: int, truncation_side: Side) -> TextTokenizer[MadeT]:
        """That of a file in the `tokenizers` library's JSON form.

        Raises:
            BundleError: the file is not such a tokenizer.
        """


def load_text_tokenizer(path: Path, *, maximum_tokens: int, truncation_side: Side) -> TextTokenizer[TokenizedText]:
    """See `LoadTokenizer`."""
    library = load_library(path)
    try:
        return NativeWordPiece(library, path, maximum_tokens, truncation_side)
    except ValueError:
        return LibraryTokenizer(library, maximum_tokens, truncation_side)


def load_locating_tokenizer(path: Path, *, maximum_tokens: int, truncation_side: Side) -> TextTokenizer[LocatedText]:
    """See `LoadTokenizer`."""
    library = load_library(path)
    try:
        found: _Locating = NativeWordPiece(library, path, maximum_tokens, truncation_side)
    except ValueError:
        found = LibraryTokenizer(library, maximum_tokens, truncation_side)
    return LocatingTokenizer(found, library)


class _Located(NamedTuple):
    """The tokens of a text, and where they stand in it; see `LocatedText`."""

    tokens: TokenizedText
    spans: NDArray[np.int64]
    special: NDArray[np.bool_]


class _Locating(Protocol):
    def locate(self, text: str) -> _Located: ...


class NativeWordPiece:
    """BERT's tokenizers, some hundred times as fast as the library."""

    def __init__(self, library: Tokenizer, path: Path, maximum_tokens: int, truncation_side: Side) -> None:
        """Raises ValueError if the library would do anything else."""
        # What the library understood, with every default spelt out; of tokens that a file has twice it forgets one.
        understood = library.to_str()
        if _added_tokens(understood) != _added_tokens(path.read_text("utf-8")):
            raise ValueError("an added token is there twice")
        self._wordpiece: WordPiece = wordpiece_from_json(understood)
        self._maximum_tokens = maximum_tokens
        self._side = truncation_side
        wordpiece_capacity(self._wordpiece, (), maximum_tokens=maximum_tokens)  # is there room for special tokens?

    def tokenize(self, text: str, pair: str | None = None, /) -> TokenizedText:
        """See `TextTokenizer.tokenize`."""
        pairs = None if pair is None else (pair,)
        made = wordpiece(self._wordpiece, (text,), pairs, maximum_tokens=self._maximum_tokens, side=self._side)
        return TokenizedText(made.ids, made.type_ids, bool(made.truncated[0]))

    def locate(self, text: str) -> _Located:
        """The same, with the places of the tokens."""
        made = wordpiece(
            self._wordpiece,
            (text,),
            maximum_tokens=self._maximum_tokens,
            side=self._side,
            offsets=True,
            word_ids=True,
        )
        assert made.offsets is not None
        assert made.word_ids is not None
        tokens = TokenizedText(made.ids, made.type_ids, bool(made.truncated[0]))
        return _Located(tokens, made.offsets.astype(np.int64), made.word_ids < 0)


class LibraryTokenizer:
    """Every other kind."""

    def __init__(self, library: Tokenizer, maximum_tokens: int, truncation_side: Side) -> None:
        library.no_padding()
        library.enable_truncation(maximum_tokens, direction=truncation_side)
        self._library = library

    def tokenize(self, text: str, pair: str | None = None, /) -> TokenizedText:
        """See `TextTokenizer.tokenize`."""
        return _tokens(self._library.encode(text, pair))

    def locate(self, text: str) -> _Located:
        """The same, with the places of the tokens."""
        encoding: Any = self._library.encode(text)
        spans = np.array(encoding.offsets, np.int64).reshape(-1, 2)
        return _Located(_tokens(encoding), spans, np.array(encoding.special_tokens_mask, np.bool_))


class LocatingTokenizer:
    """Tokenizes with the places of the tokens, and tells words apart as transformers does for its fast tokenizers."""

    def __init__(self, tokenizer: _Locating, library: Tokenizer) -> None:
        """`library` is the same tokenizer by Hugging Face, which knows the tokens of the ids."""
        self._tokenizer = tokenizer
        self._library = library
        self._marks_subwords = bool(getattr(library.model, "continuing_subword_prefix", None))

    def tokenize(self, text: str, pair: str | None = None, /) -> LocatedText:
        """See `TextTokenizer.tokenize`; of one text alone."""
        assert pair is None  # no task that locates tokens reads two
        tokens, spans, special = self._tokenizer.locate(text)
        places = zip(tokens.ids.tolist(), spans.tolist(), strict=True)
        return LocatedText(
            ids=tokens.ids,
            type_ids=tokens.type_ids,
            truncated=tokens.truncated,
            text=text,
            spans=spans,
            special=special,
            continues=np.array([self._continues(text, number, *span) for number, span in places], np.bool_),
        )

    def _continues(self, text: str, number: int, start: int, end: int) -> bool:
        """A prefix makes a token longer than what it stands for; without one, a space before the token says."""
        if self._marks_subwords:
            return len(self._library.id_to_token(number)) != end - start
        return start > 0 and " " not in text[start - 1 : start + 1]


def _tokens(encoding: Any) -> TokenizedText:
    return TokenizedText(
        np.array(encoding.ids, np.int32), np.array(encoding.type_ids, np.int32), bool(encoding.overflowing)
    )


def load_library(path: Path) -> Tokenizer:
    """Hugging Face's tokenizer of a file; raises BundleError if the file is none."""
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise BundleError(f"{path} is not a tokenizer: {error}.") from error


def _added_tokens(content: str) -> list[str]:
    return sorted(token["content"] for token in json.loads(content).get("added_tokens") or ())
