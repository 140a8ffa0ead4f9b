"""From a text to token ids and from texts to one padded batch; shared by the tasks that read text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tundish.engines import Arrays
from tundish.errors import BundleError, InvalidInputError
from tundish.manifest import ModelSpec, TextPreprocess

MAX_TEXT_BYTES = 4 * 2**20
"""Longer texts are refused: all of a text is tokenized before it is truncated, at about 3 MB a second."""


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """A text as its model reads it, special tokens included."""

    ids: list[int]
    type_ids: list[int]
    truncated: bool


class TextReader:
    """Tokenizes texts and pads them to batches, by the rules of a bundle."""

    def __init__(self, spec: ModelSpec, rule: TextPreprocess, directory: Path) -> None:
        self._rule = rule
        self._input_names = [spec.name for spec in spec.inputs]
        path = directory / rule.tokenizer
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception
            raise BundleError(f"{path} is not a tokenizer: {error}.") from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(rule.maximum_tokens, direction=rule.truncation_side)
        self._tokenizer = tokenizer

    def read(self, data: bytes) -> TokenizedText:
        """Tokenizes one UTF-8 text, truncated to the model's length.

        Raises:
            InvalidInputError: it is over the limit, not UTF-8, or no token comes of it.
        """
        if len(data) > MAX_TEXT_BYTES:
            raise InvalidInputError(f"The text has {len(data)} bytes, the limit is {MAX_TEXT_BYTES}.")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInputError(
                f"The text is not UTF-8: byte 0x{data[error.start]:02x} at position {error.start}."
            ) from None
        encoding = self._tokenizer.encode(text)
        if not encoding.ids:
            raise InvalidInputError("The text is empty, and this model's tokenizer makes no token of it.")
        return TokenizedText(encoding.ids, encoding.type_ids, truncated=bool(encoding.overflowing))

    def collate(self, items: Sequence[TokenizedText]) -> Arrays:
        """Pads to the longest item: what the model takes of ids, mask and type ids, `[batch, tokens] int64`."""
        rule = self._rule
        length = max(len(item.ids) for item in items)
        ids = np.full((len(items), length), rule.padding_id, np.int64)
        mask = np.zeros_like(ids)
        type_ids = np.full_like(ids, rule.padding_type_id)
        for row, item in enumerate(items):
            count = len(item.ids)
            place = slice(0, count) if rule.padding_side == "right" else slice(length - count, length)
            ids[row, place] = item.ids
            mask[row, place] = 1
            type_ids[row, place] = item.type_ids
        made = {"input_ids": ids, "attention_mask": mask, "token_type_ids": type_ids}
        return {name: made[name] for name in self._input_names}

    def mask(self, items: Sequence[TokenizedText], length: int) -> NDArray[np.bool_]:
        """Which of a batch's `[batch, length]` positions hold tokens and not padding."""
        counts = np.array([len(item.ids) for item in items])[:, np.newaxis]
        positions = np.arange(length)
        mask: NDArray[np.bool_] = (
            positions < counts if self._rule.padding_side == "right" else positions >= length - counts
        )
        return mask
