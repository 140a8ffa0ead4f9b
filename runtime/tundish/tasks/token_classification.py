"""Token classification: a text in, its entities out, such as names and where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import EntityPostprocess, ModelSpec, TensorSpec, TextPreprocess
from tundish.results import Entity, TokenClassification
from tundish.tasks import Task, not_finite
from tundish.tasks.activations import softmax
from tundish.tasks.entities import find_entities
from tundish.tasks.text_tokenizers import LocatedText, load_locating_tokenizer
from tundish.tasks.tokenizing import TextReader
from tundish_proto.v1 import inference_pb2 as typed

_NOWHERE = -1
"""Start and end of what fills a row of the output tensors up."""


class TokenClassificationTask(Task[LocatedText, TokenClassification]):
    """See `Task`."""

    name: ClassVar[str] = "token-classification"
    reads = (("text",),)
    result_type: ClassVar[type[TokenClassification]] = TokenClassification

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, TextPreprocess) or not isinstance(postprocess, EntityPostprocess):
            raise BundleError(f"{directory} must read text and give entities to do {self.name}.")
        self._reader = TextReader(spec, preprocess, directory, load_locating_tokenizer)
        self._output = spec.outputs[0].name
        self._rule = postprocess
        self.output_specs = (
            TensorSpec(name="label", datatype="BYTES", shape=("batch", "entities")),
            TensorSpec(name="score", datatype="FP32", shape=("batch", "entities")),
            TensorSpec(name="start", datatype="INT64", shape=("batch", "entities")),
            TensorSpec(name="end", datatype="INT64", shape=("batch", "entities")),
        )

    def prepare(self, data: bytes) -> LocatedText:
        """See `Task.prepare`."""
        return self._reader.read(data)

    def length(self, item: LocatedText) -> int:
        """See `Task.length`."""
        return len(item.ids)

    def collate(self, items: Sequence[LocatedText]) -> Arrays:
        """See `TextReader.collate`."""
        return self._reader.collate(items)

    def finish(self, outputs: Arrays, items: Sequence[LocatedText]) -> list[TokenClassification | EngineError]:
        """See `Task.finish`."""
        logits = outputs[self._output].astype(np.float32, copy=False)
        mask = self._reader.mask(items, logits.shape[1])
        return [self._result(row[kept], item) for row, kept, item in zip(logits, mask, items, strict=True)]

    def _result(self, logits: NDArray[np.float32], item: LocatedText) -> TokenClassification | EngineError:
        inside = ~item.special
        scores = softmax(logits[inside])
        if not np.isfinite(scores).all():
            return not_finite("scores")
        continues = item.continues
        if self._rule.unknown_id is not None:
            continues = continues & (item.ids != self._rule.unknown_id)
        entities = find_entities(
            scores,
            item.spans[inside],
            continues[inside],
            text=item.text,
            labels=self._rule.labels,
            aggregation=self._rule.aggregation,
        )
        return TokenClassification(entities, item.truncated)

    @staticmethod
    def to_tensors(results: Sequence[TokenClassification]) -> dict[str, NDArray[np.generic]]:
        """`label` BYTES, `score` FP32, `start` and `end` INT64, `[batch, entities]`.

        As wide as the text with the most entities; where others have fewer, the rest is an empty label, a score of 0,
        and -1 for start and end.
        """
        shape = len(results), max(len(result.entities) for result in results)
        labels, scores = np.full(shape, b"", np.object_), np.zeros(shape, np.float32)
        starts, ends = np.full(shape, _NOWHERE, np.int64), np.full(shape, _NOWHERE, np.int64)
        for row, result in enumerate(results):
            for column, entity in enumerate(result.entities):
                labels[row, column], scores[row, column] = entity.label.encode(), entity.score
                starts[row, column], ends[row, column] = entity.start, entity.end
        return {"label": labels, "score": scores, "start": starts, "end": ends}

    @staticmethod
    def to_message(result: TokenClassification) -> typed.TokenClassification:
        """See `Task.to_message`."""
        return typed.TokenClassification(
            entities=[
                typed.Entity(
                    label=entity.label, score=entity.score, start=entity.start, end=entity.end, text=entity.text
                )
                for entity in result.entities
            ],
            truncated=result.truncated,
        )

    @staticmethod
    def from_message(message: Any) -> TokenClassification:
        """See `Task.from_message`."""
        entities = tuple(Entity(each.label, each.score, each.start, each.end, each.text) for each in message.entities)
        return TokenClassification(entities, message.truncated)
