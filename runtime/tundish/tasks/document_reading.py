"""Document reading: an image in, its lines of text out; its regions are detected, perhaps turned, and recognised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.errors import BundleError
from tundish.manifest import ClassificationPostprocess, Composition, LinesPostprocess, ModelSpec, TensorSpec
from tundish.results import DocumentReading, ImageClassification, TextDetection, TextLine, TextRecognition
from tundish.tasks import Item
from tundish.tasks.composed import ComposedTask, StepForm, check_steps, item_of
from tundish.tasks.corners import corners_from_message, corners_to_message
from tundish.tasks.image_classification import ImageClassificationTask
from tundish.tasks.shared_image import SharedImage
from tundish.tasks.text_detection import TextDetectionTask
from tundish.tasks.text_recognition import TextRecognitionTask
from tundish_proto.v1 import inference_pb2 as typed

REGIONS, DIRECTIONS, TEXTS = "regions", "directions", "texts"
"""The values that the steps must make, of `image` and of each of the regions; there may be no directions."""
UPSIDE_DOWN = "180"
"""The label of a region whose content stands so."""

_DETECTED: StepForm = (TextDetectionTask.name, ("image",), None)
_AS_THEY_STAND: dict[str, StepForm] = {
    REGIONS: _DETECTED,
    TEXTS: (TextRecognitionTask.name, ("image", REGIONS), REGIONS),
}
_TURNED: dict[str, StepForm] = {
    REGIONS: _DETECTED,
    DIRECTIONS: (ImageClassificationTask.name, ("image", REGIONS), REGIONS),
    TEXTS: (TextRecognitionTask.name, ("image", REGIONS, DIRECTIONS), REGIONS),
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
        turns = rule.turned_above is not None
        check_steps(composition, components, _TURNED if turns else _AS_THEY_STAND, self.name)
        if turns:
            _check_labels(composition, components)
        self._rule = rule

    def read(self, item: Item) -> dict[str, Any]:
        """See `ComposedTask.read`."""
        assert isinstance(item, bytes)  # by what it reads
        return {"image": SharedImage(item)}

    def item(self, step: str, values: Sequence[Any]) -> Any:
        """See `ComposedTask.item`; a region that stands upside down is turned before it is read."""
        if step != TEXTS or len(values) == 2:
            return item_of(values)
        image, region, direction = values
        return replace(item_of([image, region]), upside_down=is_upside_down(self._rule, direction))

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


def is_upside_down(rule: LinesPostprocess, direction: ImageClassification) -> bool:
    """Whether a region is to be turned, by its labels."""
    best = direction.labels[0]
    return rule.turned_above is not None and best.name == UPSIDE_DOWN and best.score > rule.turned_above


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


def _check_labels(composition: Composition, components: Mapping[str, ModelSpec]) -> None:
    """Raises BundleError unless the step of directions can say of a region that it stands upside down."""
    (name,) = (step.component for step in composition.steps if step.name == DIRECTIONS)
    rule = components[name].postprocess
    if not isinstance(rule, ClassificationPostprocess) or UPSIDE_DOWN not in rule.labels:
        raise BundleError(f"'{composition.model}.{name}' must have the label '{UPSIDE_DOWN}' to say what is turned.")
