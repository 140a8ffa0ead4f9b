"""Visual question answering: an image and a question about it in, answers with scores out.

The network chooses among the answers that it was trained to give, as a classifier among its labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import ClassificationPostprocess, ImageTextPreprocess, ModelSpec
from tundish.results import VisualQuestionAnswering
from tundish.tasks import Item, Task, parts_of
from tundish.tasks.image_reading import ImageReader, PreparedImage
from tundish.tasks.labelling import Labelling, labels_from_message, labels_to_message, labels_to_tensors
from tundish.tasks.text_tokenizers import TokenizedText, load_text_tokenizer
from tundish.tasks.tokenizing import TextReader
from tundish_proto.v1 import inference_pb2 as typed


@dataclass(frozen=True, slots=True, eq=False)
class AskedImage:
    """An image with a question."""

    image: PreparedImage
    question: TokenizedText


class VisualQuestionAnsweringTask(Task[AskedImage, VisualQuestionAnswering]):
    """See `Task`.

    Items share a batch if their images are of one shape: padding one to the size of another would cost what its patches
    cost, many times what a word costs. So nothing of an image is masked, and questions alone are padded.
    """

    name: ClassVar[str] = "visual-question-answering"
    reads = (("image", "question"),)
    result_type: ClassVar[type[VisualQuestionAnswering]] = VisualQuestionAnswering

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, ImageTextPreprocess) or not isinstance(postprocess, ClassificationPostprocess):
            raise BundleError(f"{directory} must read images with texts and give labels to do {self.name}.")
        of_image, of_text = (spec.model_copy(update={"inputs": part}) for part in (spec.inputs[:1], spec.inputs[1:]))
        self._images = ImageReader(of_image, preprocess.image)
        self._texts = TextReader(of_text, preprocess.text, directory, load_text_tokenizer)
        self._output = spec.outputs[0].name
        self._labelling = Labelling(postprocess)
        label, score = self._labelling.output_specs
        self.output_specs = (label.model_copy(update={"name": "answer"}), score)

    def prepare(self, item: Item) -> AskedImage:
        """See `Task.prepare`."""
        image, question = parts_of(item)
        return AskedImage(self._images.read(image), self._texts.read(question))

    def shape(self, item: AskedImage) -> tuple[int, int]:
        """See `ImageReader.shape`."""
        return self._images.shape(item.image)

    def collate(self, items: Sequence[AskedImage]) -> Arrays:
        """See `ImageReader.collate` and `Padding.collate`."""
        images = self._images.collate([item.image for item in items])
        return {**images, **self._texts.collate([item.question for item in items])}

    def finish(self, outputs: Arrays, items: Sequence[AskedImage]) -> list[VisualQuestionAnswering | EngineError]:
        """See `Task.finish`."""
        rows = self._labelling.apply(outputs[self._output])
        return [
            row if isinstance(row, EngineError) else VisualQuestionAnswering(row, item.question.truncated)
            for row, item in zip(rows, items, strict=True)
        ]

    @staticmethod
    def to_tensors(results: Sequence[VisualQuestionAnswering]) -> dict[str, NDArray[np.generic]]:
        """`answer` BYTES and `score` FP32, `[batch, top_k]`."""
        tensors = labels_to_tensors([result.answers for result in results])
        return {"answer": tensors["label"], "score": tensors["score"]}

    @staticmethod
    def to_message(result: VisualQuestionAnswering) -> typed.VisualQuestionAnswering:
        """See `Task.to_message`."""
        return typed.VisualQuestionAnswering(answers=labels_to_message(result.answers), truncated=result.truncated)

    @staticmethod
    def from_message(message: Any) -> VisualQuestionAnswering:
        """See `Task.from_message`."""
        return VisualQuestionAnswering(labels_from_message(message.answers), message.truncated)
