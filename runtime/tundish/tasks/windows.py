"""From a question and a context to windows: the question, each time with as much of the context as there is room for.

By Hugging Face's `tokenizers`, for every kind: which word a token is of, and how a context is cut, is its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tundish.errors import InvalidInputError
from tundish.manifest import TextPreprocess
from tundish.tasks.answers import Window
from tundish.tasks.text_tokenizers import load_library

_OF_NO_WORD = -1


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

    def windows(self, question: str, context: str) -> tuple[Window, ...]:
        """Those of a context.

        Raises:
            InvalidInputError: the question leaves a window no room to move on by.
        """
        tokens = len(self._plain.encode(question, add_special_tokens=False).ids)
        most = self._maximum - self._special - self._stride - 1
        # What leaves the library no room to cut a context by is only read with a context that needs no cut.
        encoding: Any = (self._library if tokens <= most else self._plain).encode(question, context)
        if len(encoding.ids) > self._maximum:
            raise InvalidInputError(
                f"The question has {tokens} tokens; before a context of several windows, this model takes {most}."
            )
        return tuple(_window(each) for each in (encoding, *encoding.overflowing))


def _window(encoding: Any) -> Window:
    return Window(
        ids=np.array(encoding.ids, np.int32),
        type_ids=np.array(encoding.type_ids, np.int32),
        truncated=False,
        in_context=np.array([part == 1 for part in encoding.sequence_ids], np.bool_),
        spans=np.array(encoding.offsets, np.int64).reshape(-1, 2),
        words=np.array([_OF_NO_WORD if word is None else word for word in encoding.word_ids], np.int64),
    )
