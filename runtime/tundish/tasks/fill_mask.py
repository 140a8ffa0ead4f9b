"""Fill mask: a text with masks in, the tokens that each may stand for out.

The network gives logits at the masks alone: at every token they would be a hundred times as much memory, of which
nothing is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError, InvalidInputError
from tundish.manifest import MaskPostprocess, ModelSpec, TensorSpec, TextPreprocess
from tundish.results import FilledToken, FillMask
from tundish.tasks import Task, not_finite
from tundish.tasks.text_tokenizers import TokenizedText, load_library, load_text_tokenizer
from tundish.tasks.tokenizing import TextReader
from tundish_kernels import softmax_top_k
from tundish_proto.v1 import inference_pb2 as typed

MASK_POSITIONS = "mask_positions"
"""The input `[batch, masks] int64` that says at which tokens there are masks."""
MAX_MASKS = 32
"""Texts with more are refused: the logits of each are as many as the vocabulary has tokens."""

_UNTIDY = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)
"""What a tokenizer that tidies spaces writes for what, one after the other."""


class FillMaskTask(Task[TokenizedText, FillMask]):
    """See `Task`."""

    name: ClassVar[str] = "fill-mask"
    reads = (("text",),)
    result_type: ClassVar[type[FillMask]] = FillMask

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, TextPreprocess) or not isinstance(postprocess, MaskPostprocess):
            raise BundleError(f"{directory} must read text and fill masks to do {self.name}.")
        tokens = [tensor for tensor in spec.inputs if tensor.name != MASK_POSITIONS]
        if len(tokens) == len(spec.inputs):
            raise BundleError(f"{directory} must have the input {MASK_POSITIONS} to do {self.name}.")
        self._reader = TextReader(
            spec.model_copy(update={"inputs": tuple(tokens)}), preprocess, directory, load_text_tokenizer
        )
        self._library = load_library(directory / preprocess.tokenizer)
        self._padding_id = preprocess.padding_id
        self._output = spec.outputs[0].name
        self._rule = postprocess
        vocabulary = spec.outputs[0].shape[-1]
        self._top_k = min(postprocess.top_k, vocabulary) if isinstance(vocabulary, int) else postprocess.top_k
        shape = ("batch", "masks", self._top_k)
        self.output_specs = (
            TensorSpec(name="token", datatype="BYTES", shape=shape),
            TensorSpec(name="score", datatype="FP32", shape=shape),
            TensorSpec(name="sequence", datatype="BYTES", shape=shape),
        )

    def prepare(self, data: bytes) -> TokenizedText:
        """See `Task.prepare`."""
        text = self._reader.read(data)
        count = len(self._masks(text))
        if not 1 <= count <= MAX_MASKS:
            cut = " among those that this model reads" if text.truncated else ""
            raise InvalidInputError(
                f"The text has {count} masks{cut}; write {self._rule.mask_token} for 1 to {MAX_MASKS} tokens of it."
            )
        return text

    def length(self, item: TokenizedText) -> int:
        """See `Task.length`."""
        return len(item.ids)

    def collate(self, items: Sequence[TokenizedText]) -> Arrays:
        """See `TextReader.collate`; `mask_positions` of texts with fewer masks are 0 behind them, which is not read."""
        arrays = self._reader.collate(items)
        width = arrays[next(iter(arrays))].shape[1]
        mask = self._reader.mask(items, width)
        masks = [self._masks(item) for item in items]
        positions = np.zeros((len(items), max(map(len, masks))), np.int64)
        for row, kept, places in zip(positions, mask, masks, strict=True):
            row[: len(places)] = np.flatnonzero(kept)[places]
        return {**arrays, MASK_POSITIONS: positions}

    def finish(self, outputs: Arrays, items: Sequence[TokenizedText]) -> list[FillMask | EngineError]:
        """See `Task.finish`."""
        logits = outputs[self._output].astype(np.float32, copy=False)
        return [self._result(row, item) for row, item in zip(logits, items, strict=True)]

    def _result(self, logits: NDArray[np.float32], item: TokenizedText) -> FillMask | EngineError:
        places = self._masks(item)
        read = np.ascontiguousarray(logits[: len(places)])
        ids, scores = softmax_top_k(read, self._top_k)
        if not np.isfinite(scores).all() or np.isnan(read).any():
            return not_finite("scores")
        masks = [
            tuple(
                FilledToken(
                    self._decoded([number]), score, number, self._filled(item, place, number, alone=len(places) == 1)
                )
                for number, score in zip(row, row_scores, strict=True)
            )
            for place, row, row_scores in zip(places.tolist(), ids.tolist(), scores.tolist(), strict=True)
        ]
        return FillMask(tuple(masks), item.truncated)

    def _masks(self, text: TokenizedText) -> NDArray[np.intp]:
        """The places of the masks among the text's tokens."""
        return np.flatnonzero(text.ids == self._rule.mask_id)

    def _filled(self, text: TokenizedText, place: int, number: int, *, alone: bool) -> str:
        """The text with the token in the place; without special tokens, unless other masks are among them."""
        ids = text.ids.copy()
        ids[place] = number
        return self._decoded(ids[ids != self._padding_id].tolist(), skip_special=alone)

    def _decoded(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        text: str = self._library.decode(ids, skip_special_tokens=skip_special)
        for untidy, tidy in _UNTIDY if self._rule.tidy_spaces else ():
            text = text.replace(untidy, tidy)
        return text

    @staticmethod
    def to_tensors(results: Sequence[FillMask]) -> dict[str, NDArray[np.generic]]:
        """`token` BYTES, `score` FP32 and `sequence` BYTES, `[batch, masks, top_k]`.

        Behind a text's own masks, up to the most of any text, tokens and sequences are empty and scores 0.
        """
        shape = len(results), max(len(result.masks) for result in results), len(results[0].masks[0])
        tokens, sequences = np.full(shape, b"", np.object_), np.full(shape, b"", np.object_)
        scores = np.zeros(shape, np.float32)
        for row, result in enumerate(results):
            for place, mask in enumerate(result.masks):
                tokens[row, place] = [filled.token.encode() for filled in mask]
                scores[row, place] = [filled.score for filled in mask]
                sequences[row, place] = [filled.sequence.encode() for filled in mask]
        return {"token": tokens, "score": scores, "sequence": sequences}

    @staticmethod
    def to_message(result: FillMask) -> typed.FillMask:
        """See `Task.to_message`."""
        return typed.FillMask(
            masks=[typed.FilledMask(tokens=[_token_to_message(filled) for filled in mask]) for mask in result.masks],
            truncated=result.truncated,
        )

    @staticmethod
    def from_message(message: Any) -> FillMask:
        """See `Task.from_message`."""
        masks = (
            tuple(FilledToken(each.token, each.score, each.token_id, each.sequence) for each in mask.tokens)
            for mask in message.masks
        )
        return FillMask(tuple(masks), message.truncated)


def _token_to_message(filled: FilledToken) -> typed.FilledToken:
    return typed.FilledToken(token=filled.token, score=filled.score, token_id=filled.token_id, sequence=filled.sequence)
