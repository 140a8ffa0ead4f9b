"""Feature extraction: a text in, its vector out, pooled and normalised as the source does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import ModelSpec, PoolingPostprocess, TensorSpec, TextPreprocess, VectorPostprocess
from tundish.results import FeatureExtraction
from tundish.tasks import Task, not_finite
from tundish.tasks.text_tokenizers import TokenizedText, load_text_tokenizer
from tundish.tasks.tokenizing import TextReader
from tundish_kernels import pool_normalize
from tundish_proto.v1 import inference_pb2 as typed


class FeatureExtractionTask(Task[TokenizedText, FeatureExtraction]):
    """See `Task`."""

    name: ClassVar[str] = "feature-extraction"
    reads = (("text",),)
    result_type: ClassVar[type[FeatureExtraction]] = FeatureExtraction

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, TextPreprocess) or not isinstance(
            postprocess, PoolingPostprocess | VectorPostprocess
        ):
            raise BundleError(f"{directory} must read text and give vectors to do {self.name}.")
        self._reader = TextReader(spec, preprocess, directory, load_text_tokenizer)
        self._rule = postprocess
        output = spec.outputs[0]
        self._output = output.name
        keeps_tokens = isinstance(postprocess, PoolingPostprocess) and postprocess.pooling == "none"
        shape = output.shape if keeps_tokens else (output.shape[0], output.shape[-1])
        self.output_specs = (TensorSpec(name="embedding", datatype="FP32", shape=shape),)

    def prepare(self, data: bytes) -> TokenizedText:
        """See `Task.prepare`."""
        return self._reader.read(data)

    def length(self, item: TokenizedText) -> int:
        """See `Task.length`."""
        return len(item.ids)

    def collate(self, items: Sequence[TokenizedText]) -> Arrays:
        """See `TextReader.collate`."""
        return self._reader.collate(items)

    def finish(self, outputs: Arrays, items: Sequence[TokenizedText]) -> list[FeatureExtraction | EngineError]:
        """See `Task.finish`."""
        vectors = self._vectors(outputs[self._output].astype(np.float32, copy=False), items)
        return [
            FeatureExtraction(vector, item.truncated) if np.isfinite(vector).all() else not_finite("vectors")
            for vector, item in zip(vectors, items, strict=True)
        ]

    def _vectors(self, made: NDArray[np.float32], items: Sequence[TokenizedText]) -> list[NDArray[np.float32]]:
        """Those of each item; copies, so that a result does not keep its whole batch alive."""
        rule = self._rule
        if isinstance(rule, VectorPostprocess):
            return [row.copy() for row in made]
        mask = self._reader.mask(items, made.shape[1])
        if rule.pooling == "none":
            return [row[kept].copy() for row, kept in zip(made, mask, strict=True)]
        return list(pool_normalize(np.ascontiguousarray(made), mask, pooling=rule.pooling, normalize=rule.normalize))

    @staticmethod
    def to_tensors(results: Sequence[FeatureExtraction]) -> dict[str, NDArray[np.generic]]:
        """`embedding` FP32, `[batch, dimensions]`; without pooling `[batch, tokens, dimensions]`, zeros behind."""
        vectors = [result.vector for result in results]
        length = max(vector.shape[0] for vector in vectors)
        padded = np.zeros((len(vectors), length, *vectors[0].shape[1:]), np.float32)
        for row, vector in zip(padded, vectors, strict=True):
            row[: len(vector)] = vector
        return {"embedding": padded}

    @staticmethod
    def to_message(result: FeatureExtraction) -> typed.FeatureExtraction:
        """See `Task.to_message`."""
        vector = result.vector
        return typed.FeatureExtraction(shape=vector.shape, values=vector.ravel(), truncated=result.truncated)

    @staticmethod
    def from_message(message: Any) -> FeatureExtraction:
        """See `Task.from_message`."""
        vector = np.array(message.values, np.float32).reshape(message.shape)
        return FeatureExtraction(vector, message.truncated)
