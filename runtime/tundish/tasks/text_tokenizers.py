"""From one text to its tokens: by the native WordPiece where it does the same, else by Hugging Face's `tokenizers`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

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
    """Tokenizes one text, truncated to the model's length."""

    def tokenize(self, text: str) -> MadeT:
        """No tokens at all may come of a text."""


class LoadTokenizer(Protocol[MadeT]):
    """Loads a tokenizer."""

    def __call__(self, path: Path, *, maximum_tokens: int, truncation_side: Side) -> TextTokenizer[MadeT]:
        """That of a file in the `tokenizers` library's JSON form.

        Raises:
            BundleError: the file is not such a tokenizer.
        """


def load_text_tokenizer(path: Path, *, maximum_tokens: int, truncation_side: Side) -> TextTokenizer[TokenizedText]:
    """See `LoadTokenizer`."""
    library = _load_library(path)
    try:
        return NativeWordPiece(library, path, maximum_tokens, truncation_side)
    except ValueError:
        return LibraryTokenizer(library, maximum_tokens, truncation_side)


def load_locating_tokenizer(path: Path, *, maximum_tokens: int, truncation_side: Side) -> TextTokenizer[LocatedText]:
    """See `LoadTokenizer`; always by the library, since the native WordPiece does not say where its tokens stand."""
    return LocatingTokenizer(_load_library(path), maximum_tokens, truncation_side)


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

    def tokenize(self, text: str) -> TokenizedText:
        """See `TextTokenizer.tokenize`."""
        made = wordpiece(self._wordpiece, (text,), maximum_tokens=self._maximum_tokens, side=self._side)
        return TokenizedText(made.ids, made.type_ids, bool(made.truncated[0]))


class LibraryTokenizer:
    """Every other kind."""

    def __init__(self, library: Tokenizer, maximum_tokens: int, truncation_side: Side) -> None:
        library.no_padding()
        library.enable_truncation(maximum_tokens, direction=truncation_side)
        self._library = library

    def tokenize(self, text: str) -> TokenizedText:
        """See `TextTokenizer.tokenize`."""
        encoding: Any = self._library.encode(text)
        return TokenizedText(
            np.array(encoding.ids, np.int32), np.array(encoding.type_ids, np.int32), bool(encoding.overflowing)
        )


class LocatingTokenizer:
    """Tokenizes with the places of the tokens, and tells words apart as transformers does for its fast tokenizers."""

    def __init__(self, library: Tokenizer, maximum_tokens: int, truncation_side: Side) -> None:
        library.no_padding()
        library.enable_truncation(maximum_tokens, direction=truncation_side)
        self._library = library
        self._marks_subwords = bool(getattr(library.model, "continuing_subword_prefix", None))

    def tokenize(self, text: str) -> LocatedText:
        """See `TextTokenizer.tokenize`."""
        encoding: Any = self._library.encode(text)
        return LocatedText(
            ids=np.array(encoding.ids, np.int32),
            type_ids=np.array(encoding.type_ids, np.int32),
            truncated=bool(encoding.overflowing),
            text=text,
            spans=np.array(encoding.offsets, np.int64).reshape(-1, 2),
            special=np.array(encoding.special_tokens_mask, np.bool_),
            continues=np.array(
                [
                    self._continues(text, number, *span)
                    for number, span in zip(encoding.ids, encoding.offsets, strict=True)
                ],
                np.bool_,
            ),
        )

    def _continues(self, text: str, number: int, start: int, end: int) -> bool:
        """A prefix makes a token longer than what it stands for; without one, a space before the token says."""
        if self._marks_subwords:
            return len(self._library.id_to_token(number)) != end - start
        return start > 0 and " " not in text[start - 1 : start + 1]


def _load_library(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise BundleError(f"{path} is not a tokenizer: {error}.") from error


def _added_tokens(content: str) -> list[str]:
    return sorted(token["content"] for token in json.loads(content).get("added_tokens") or ())
