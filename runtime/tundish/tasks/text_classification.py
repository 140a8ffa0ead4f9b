"""Text classification: a text in, or two, and labels with scores out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import ClassificationPostprocess, ModelSpec, TensorSpec, TextPreprocess
from tundish.results import TextClassification
from tundish.tasks import Item, Task, parts_of
from tundish.tasks.labelling import Labelling, labels_from_message, labels_to_message, labels_to_tensors
from tundish.tasks.text_tokenizers import TokenizedText, load_text_tokenizer
from tundish.tasks.tokenizing import TextReader
from tundish_proto.v1 import inference_pb2 as typed


def classified_parts(item: Item) -> tuple[bytes, ...]:
    """What is tokenized of an item: where the second text is empty the first alone, as in transformers' pipeline."""
    text, *pair = parts_of(item)
    return text, *filter(None, pair)


class TextClassificationTask(Task[TokenizedText, TextClassification]):
    """See `Task`."""

    name: ClassVar[str] = "text-classification"
    reads = (("text",), ("text", "text_pair"))
    result_type: ClassVar[type[TextClassification]] = TextClassification

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, TextPreprocess) or not isinstance(postprocess, ClassificationPostprocess):
            raise BundleError(f"{directory} must read text and give labels to do {self.name}.")
        self._reader = TextReader(spec, preprocess, directory, load_text_tokenizer)
        self._output = spec.outputs[0].name
        self._labelling = Labelling(postprocess)
        self.output_specs: tuple[TensorSpec, ...] = self._labelling.output_specs

    def prepare(self, item: Item) -> TokenizedText:
        """See `Task.prepare`."""
        return self._reader.read(*classified_parts(item))

    def length(self, item: TokenizedText) -> int:
        """See `Task.length`."""
        return len(item.ids)

    def collate(self, items: Sequence[TokenizedText]) -> Arrays:
        """See `TextReader.collate`."""
        return self._reader.collate(items)

    def finish(self, outputs: Arrays, items: Sequence[TokenizedText]) -> list[TextClassification | EngineError]:
        """See `Task.finish`."""
        rows = self._labelling.apply(outputs[self._output])
        return [
            row if isinstance(row, EngineError) else TextClassification(row, item.truncated)
            for row, item in zip(rows, items, strict=True)
        ]

    @staticmethod
    def to_tensors(results: Sequence[TextClassification]) -> dict[str, NDArray[np.generic]]:
        """`label` BYTES and `score` FP32, `[batch, top_k]`."""
        return labels_to_tensors([result.labels for result in results])

    @staticmethod
    def to_message(result: TextClassification) -> typed.TextClassification:
        """See `Task.to_message`."""
        return typed.TextClassification(labels=labels_to_message(result.labels), truncated=result.truncated)

    @staticmethod
    def from_message(message: Any) -> TextClassification:
        """See `Task.from_message`."""
        return TextClassification(labels_from_message(message.labels), message.truncated)
