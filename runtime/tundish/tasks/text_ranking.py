"""Text ranking: a query and a text in, one score out, by a network that reads both at once (a cross-encoder)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import ModelSpec, ScorePostprocess, TensorSpec, TextPreprocess
from tundish.results import TextRanking
from tundish.tasks import Item, Task, not_finite, parts_of
from tundish.tasks.text_tokenizers import TokenizedText, load_text_tokenizer
from tundish.tasks.tokenizing import TextReader
from tundish_kernels import softmax_top_k
from tundish_proto.v1 import inference_pb2 as typed


class TextRankingTask(Task[TokenizedText, TextRanking]):
    """See `Task`."""

    name: ClassVar[str] = "text-ranking"
    reads = (("query", "text"),)
    result_type: ClassVar[type[TextRanking]] = TextRanking
    output_specs = (TensorSpec(name="score", datatype="FP32", shape=("batch", 1)),)

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, TextPreprocess) or not isinstance(postprocess, ScorePostprocess):
            raise BundleError(f"{directory} must read texts and give a score to do {self.name}.")
        self._reader = TextReader(spec, preprocess, directory, load_text_tokenizer)
        self._output = spec.outputs[0].name
        self._rule = postprocess

    def prepare(self, item: Item) -> TokenizedText:
        """See `Task.prepare`."""
        return self._reader.read(*parts_of(item))

    def length(self, item: TokenizedText) -> int:
        """See `Task.length`."""
        return len(item.ids)

    def collate(self, items: Sequence[TokenizedText]) -> Arrays:
        """See `TextReader.collate`."""
        return self._reader.collate(items)

    def finish(self, outputs: Arrays, items: Sequence[TokenizedText]) -> list[TextRanking | EngineError]:
        """See `Task.finish`."""
        logits = np.ascontiguousarray(outputs[self._output], np.float32)
        _, scores = softmax_top_k(logits, 1, function=self._rule.function)
        return [
            TextRanking(score, item.truncated) if np.isfinite(score) else not_finite("scores")
            for score, item in zip(scores[:, 0].tolist(), items, strict=True)
        ]

    @staticmethod
    def to_tensors(results: Sequence[TextRanking]) -> dict[str, NDArray[np.generic]]:
        """`score` FP32, `[batch, 1]`."""
        return {"score": np.array([[result.score] for result in results], np.float32)}

    @staticmethod
    def to_message(result: TextRanking) -> typed.TextRanking:
        """See `Task.to_message`."""
        return typed.TextRanking(score=result.score, truncated=result.truncated)

    @staticmethod
    def from_message(message: Any) -> TextRanking:
        """See `Task.from_message`."""
        return TextRanking(message.score, message.truncated)
