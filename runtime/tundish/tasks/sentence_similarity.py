"""Sentence similarity: two texts in, the cosine of their vectors out. An item is two rows of the engine's batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import ModelSpec, PoolingPostprocess, TensorSpec, TextPreprocess
from tundish.results import SentenceSimilarity
from tundish.tasks import Item, Task, not_finite, parts_of
from tundish.tasks.text_tokenizers import TokenizedText, load_text_tokenizer
from tundish.tasks.tokenizing import TextReader
from tundish_kernels import pool_normalize
from tundish_proto.v1 import inference_pb2 as typed


class ComparedTexts(NamedTuple):
    """The tokens of both."""

    first: TokenizedText
    second: TokenizedText


class SentenceSimilarityTask(Task[ComparedTexts, SentenceSimilarity]):
    """See `Task`."""

    name: ClassVar[str] = "sentence-similarity"
    reads = (("text", "text_pair"),)
    result_type: ClassVar[type[SentenceSimilarity]] = SentenceSimilarity
    output_specs = (TensorSpec(name="score", datatype="FP32", shape=("batch", 1)),)

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, TextPreprocess) or not isinstance(postprocess, PoolingPostprocess):
            raise BundleError(f"{directory} must read texts and give vectors to do {self.name}.")
        if postprocess.pooling == "none":
            raise BundleError(f"{directory} does not pool the vectors of tokens, as {self.name} needs it.")
        self._reader = TextReader(spec, preprocess, directory, load_text_tokenizer)
        self._output = spec.outputs[0].name
        self._pooling = postprocess.pooling

    def prepare(self, item: Item) -> ComparedTexts:
        """See `Task.prepare`; each text for itself."""
        return ComparedTexts(*(self._reader.read(part) for part in parts_of(item)))

    def length(self, item: ComparedTexts) -> int:
        """The tokens of both rows, padding included, so that items that are as long share a batch."""
        return 2 * max(len(text.ids) for text in item)

    def collate(self, items: Sequence[ComparedTexts]) -> Arrays:
        """See `TextReader.collate`; the two rows of an item stand together."""
        return self._reader.collate(_rows(items))

    def finish(self, outputs: Arrays, items: Sequence[ComparedTexts]) -> list[SentenceSimilarity | EngineError]:
        """See `Task.finish`."""
        tokens = np.ascontiguousarray(outputs[self._output], np.float32)
        mask = self._reader.mask(_rows(items), tokens.shape[1])
        vectors = pool_normalize(tokens, mask, pooling=self._pooling, normalize=True)
        cosines = (vectors[0::2] * vectors[1::2]).sum(axis=1)
        return [
            SentenceSimilarity(score, item.first.truncated or item.second.truncated)
            if np.isfinite(score)
            else not_finite("vectors")
            for score, item in zip(cosines.tolist(), items, strict=True)
        ]

    @staticmethod
    def to_tensors(results: Sequence[SentenceSimilarity]) -> dict[str, NDArray[np.generic]]:
        """`score` FP32, `[batch, 1]`."""
        return {"score": np.array([[result.score] for result in results], np.float32)}

    @staticmethod
    def to_message(result: SentenceSimilarity) -> typed.SentenceSimilarity:
        """See `Task.to_message`."""
        return typed.SentenceSimilarity(score=result.score, truncated=result.truncated)

    @staticmethod
    def from_message(message: Any) -> SentenceSimilarity:
        """See `Task.from_message`."""
        return SentenceSimilarity(message.score, message.truncated)


def _rows(items: Sequence[ComparedTexts]) -> list[TokenizedText]:
    return [text for item in items for text in item]
