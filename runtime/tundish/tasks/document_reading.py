"""Document reading: an image in, its lines of text out; its regions are detected and recognised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.errors import BundleError
from tundish.manifest import Composition, LinesPostprocess, ModelSpec, TensorSpec
from tundish.results import DocumentReading, TextDetection, TextLine, TextRecognition
from tundish.tasks import Item
from tundish.tasks.composed import ComposedTask, StepForm, check_steps
from tundish.tasks.corners import corners_from_message, corners_to_message
from tundish.tasks.shared_image import SharedImage
from tundish.tasks.text_detection import TextDetectionTask
from tundish.tasks.text_recognition import TextRecognitionTask
from tundish_proto.v1 import inference_pb2 as typed

REGIONS, TEXTS = "regions", "texts"
"""The values that the steps must make, of `image` and of each of the regions."""


_STEPS: dict[str, StepForm] = {
    REGIONS: (TextDetectionTask.name, ("image",), None),
    TEXTS: (TextRecognitionTask.name, ("image", REGIONS), REGIONS),
}


class DocumentReadingTask(ComposedTask[DocumentReading]):
    """See `ComposedTask`."""

    name: ClassVar[str] = "document-reading"
    reads = (("image",),)
    result_type: ClassVar[type[DocumentReading]] = DocumentReading
    output_specs = (
        TensorSpec(name="text", datatype="BYTES", shape=("batch", "lines")),
        TensorSpec(name="score", datatype="FP32", shape=("batch", "lines")),
        TensorSpec(name="corners", datatype="FP32", shape=("batch", "lines", 4, 2)),
    )

    def __init__(self, composition: Composition, components: Mapping[str, ModelSpec]) -> None:
        rule = composition.postprocess
        if not isinstance(rule, LinesPostprocess):
            raise BundleError(f"'{composition.model}' must make lines of texts to do {self.name}.")
        check_steps(composition, components, _STEPS, self.name)
        self._rule = rule

    def read(self, item: Item) -> dict[str, Any]:
        """See `ComposedTask.read`."""
        assert isinstance(item, bytes)  # by what it reads
        return {"image": SharedImage(item)}

    def join(self, values: Mapping[str, Any]) -> DocumentReading:
        """See `ComposedTask.join`."""
        regions: TextDetection = values[REGIONS]
        texts: Sequence[TextRecognition] = values[TEXTS]
        return joined(self._rule, regions, texts)

    @staticmethod
    def to_tensors(results: Sequence[DocumentReading]) -> dict[str, NDArray[np.generic]]:
        """`text` BYTES and `score` FP32 `[batch, lines]`, `corners` FP32 `[batch, lines, 4, 2]`, x and y.

        Behind an image's own lines, up to the most of any image of the batch, all is empty or 0.
        """
        shape = len(results), max(len(result.lines) for result in results)
        texts, scores = np.full(shape, b"", np.object_), np.zeros(shape, np.float32)
        corners = np.zeros((*shape, 4, 2), np.float32)
        for row, result in enumerate(results):
            for place, line in enumerate(result.lines):
                texts[row, place] = line.text.encode()
                scores[row, place], corners[row, place] = line.score, line.corners
        return {"text": texts, "score": scores, "corners": corners}

    @staticmethod
    def to_message(result: DocumentReading) -> typed.DocumentReading:
        """See `TypedTask.to_message`."""
        return typed.DocumentReading(
            lines=[
                typed.TextLine(text=line.text, score=line.score, corners=corners_to_message(line.corners))
                for line in result.lines
            ]
        )

    @staticmethod
    def from_message(message: Any) -> DocumentReading:
        """See `TypedTask.from_message`."""
        return DocumentReading(
            tuple(TextLine(line.text, line.score, corners_from_message(line.corners)) for line in message.lines)
        )


def joined(rule: LinesPostprocess, regions: TextDetection, texts: Sequence[TextRecognition]) -> DocumentReading:
    """The lines that say something, in the order of their regions."""
    pairs = zip(regions.regions, texts, strict=True)
    return DocumentReading(
        tuple(
            TextLine(read.text, read.score, region.corners)
            for region, read in pairs
            if read.text and read.score >= rule.threshold
        )
    )
