"""From a question and a context to windows: the question, each time with as much of the context as there is room for.

By Hugging Face's `tokenizers`, for every kind: which word a token is of, and how a context is cut, is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tundish.errors import InvalidInputError
from tundish.manifest import TextPreprocess
from tundish.tasks.answers import OF_NO_WORD, Window
from tundish.tasks.text_tokenizers import load_library

MAX_WINDOWS = 32
"""Longer contexts are refused: all windows of an item run at once, in memory that grows with them."""


class WindowTokenizer:
    """Makes windows by the rules of a bundle."""

    def __init__(self, path: Path, rule: TextPreprocess, stride: int) -> None:
        """Neighbouring windows have `stride` tokens in common; raises BundleError if `path` is no tokenizer."""
        self._library = load_library(path)
        self._library.no_padding()
        self._maximum = rule.maximum_tokens
        self._stride = stride
        self._special = self._library.num_special_tokens_to_add(True)
        self._library.enable_truncation(
            rule.maximum_tokens,
            stride=stride,
            strategy="only_second",
            direction=rule.truncation_side,
        )
        self._plain = load_library(path)  # one tokenizer cannot do both, for several threads
        self._plain.no_padding()
        self._plain.no_truncation()

    def windows(self, question: str | Sequence[str], context: str | Sequence[str]) -> tuple[Window, ...]:
        """Those of a context; both are texts, or both words, whose places the windows then tell.

        Raises:
            InvalidInputError: the question leaves a window no room to move on by, or there are too many windows.
        """
        of_words = not isinstance(context, str)
        plain: Any = self._plain.encode(question, is_pretokenized=of_words, add_special_tokens=False)
        tokens = len(plain.ids)
        most = self._maximum - self._special - self._stride - 1
        # What leaves the library no room to cut a context by is only read with a context that needs no cut.
        library: Any = self._library if tokens <= most else self._plain
        encoding = library.encode(question, context, is_pretokenized=of_words)
        if len(encoding.ids) > self._maximum:
            raise InvalidInputError(
                f"The question has {tokens} tokens; before a context of several windows, this model takes {most}."
            )
        encodings = (encoding, *encoding.overflowing)
        if len(encodings) > MAX_WINDOWS:
            raise InvalidInputError(
                f"The {'page' if of_words else 'context'} takes {len(encodings)} windows of what this model reads, the "
                f"limit is {MAX_WINDOWS}; ask about a part of it."
            )
        return tuple(map(_window, encodings))


def _window(encoding: Any) -> Window:
    return Window(
        ids=np.array(encoding.ids, np.int32),
        type_ids=np.array(encoding.type_ids, np.int32),
        truncated=False,
        in_context=np.array([part == 1 for part in encoding.sequence_ids], np.bool_),
        spans=np.array(encoding.offsets, np.int64).reshape(-1, 2),
        words=np.array([OF_NO_WORD if word is None else word for word in encoding.word_ids], np.int64),
    )
