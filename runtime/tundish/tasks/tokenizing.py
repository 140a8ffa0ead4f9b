"""From a text to token ids and from texts to one padded batch; shared by the tasks that read text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import InvalidInputError
from tundish.manifest import ModelSpec, TextPreprocess
from tundish.tasks.text_tokenizers import LoadTokenizer, TextT, TokenizedText
from tundish_kernels import pack

MAX_TEXT_BYTES = 4 * 2**20
"""Longer texts are refused: but for WordPiece, all of a text is tokenized before it is truncated, at 3 MB a second."""


class Padding:
    """Pads tokenized texts to batches, by the rules of a bundle."""

    def __init__(self, spec: ModelSpec, rule: TextPreprocess) -> None:
        self._rule = rule
        self._input_names = [spec.name for spec in spec.inputs]

    def collate(self, items: Sequence[TokenizedText]) -> Arrays:
        """Pads to the longest item: what the model takes of ids, mask and type ids, `[batch, tokens] int64`."""
        rule = self._rule
        starts = np.zeros(len(items) + 1, np.int64)
        np.cumsum([len(item.ids) for item in items], out=starts[1:])
        packed = pack(
            np.concatenate([item.ids for item in items]),
            starts,
            np.concatenate([item.type_ids for item in items]),
            pad_id=rule.padding_id,
            pad_type_id=rule.padding_type_id,
            side=rule.padding_side,
        )
        assert packed.mask is not None
        assert packed.type_ids is not None  # there were some
        made = {
            "input_ids": self._widened(packed.ids, rule.padding_id),
            "attention_mask": self._widened(packed.mask, 0),
            "token_type_ids": self._widened(packed.type_ids, rule.padding_type_id),
        }
        return {name: made[name] for name in self._input_names}

    def _widened(self, rows: NDArray[np.int64], value: int) -> NDArray[np.int64]:
        """The rows with padding up to what every text is padded to."""
        missing = (self._rule.padded_tokens or 0) - rows.shape[1]
        if missing <= 0:
            return rows
        return np.pad(
            rows, ((0, 0), (0, missing) if self._rule.padding_side == "right" else (missing, 0)), constant_values=value
        )

    def mask(self, items: Sequence[TokenizedText], length: int) -> NDArray[np.bool_]:
        """Which of a batch's `[batch, length]` positions hold tokens and not padding."""
        counts = np.array([len(item.ids) for item in items])[:, np.newaxis]
        positions = np.arange(length)
        mask: NDArray[np.bool_] = (
            positions < counts if self._rule.padding_side == "right" else positions >= length - counts
        )
        return mask


class TextReader(Padding, Generic[TextT]):
    """Tokenizes texts as well."""

    def __init__(self, spec: ModelSpec, rule: TextPreprocess, directory: Path, load: LoadTokenizer[TextT]) -> None:
        super().__init__(spec, rule)
        self._tokenizer = load(
            directory / rule.tokenizer, maximum_tokens=rule.maximum_tokens, truncation_side=rule.truncation_side
        )

    def read(self, data: bytes, pair: bytes | None = None) -> TextT:
        """Tokenizes one UTF-8 text, or two as one sequence, truncated to the model's length.

        Of two, the longer loses tokens until both fit, as transformers' `longest_first` has it.

        Raises:
            InvalidInputError: one is over the limit or not UTF-8, or no token comes of it.
        """
        tokens = self._tokenizer.tokenize(decoded(data), None if pair is None else decoded(pair))
        if len(tokens.ids) == 0:
            raise InvalidInputError("The text is empty, and this model's tokenizer makes no token of it.")
        return tokens


def decoded(data: bytes) -> str:
    """The text of a part; raises InvalidInputError if it is over the limit, or not UTF-8."""
    if len(data) > MAX_TEXT_BYTES:
        raise InvalidInputError(f"The text has {len(data)} bytes, the limit is {MAX_TEXT_BYTES}.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"The text is not UTF-8: byte 0x{data[error.start]:02x} at position {error.start}."
        ) from None
