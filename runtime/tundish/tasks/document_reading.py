"""Document reading: an image in, its lines of text out; its regions are detected, perhaps turned, and recognised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
        check_steps(composition, components, reading_steps(rule), self.name)
        check_directions(composition, components)
        self._rule = rule

    def read(self, item: Item) -> dict[str, Any]:
        """See `ComposedTask.read`."""
        assert isinstance(item, bytes)  # by what it reads
        return {"image": SharedImage(item)}

    def item(self, step: str, values: Sequence[Any]) -> Any:
        """See `ComposedTask.item` and `reading_item`."""
        return reading_item(self._rule, step, values)

    def join(self, values: Mapping[str, Any]) -> DocumentReading:
        """See `ComposedTask.join`."""
        lines = read_lines(self._rule, values[REGIONS], values[TEXTS], values.get(DIRECTIONS))
        return DocumentReading(tuple(each.line for each in lines))

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


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line that says something."""

    line: TextLine
    upside_down: bool
    """Whether it stands so between its corners."""


def reading_steps(rule: LinesPostprocess) -> dict[str, StepForm]:
    """The steps that read lines by this rule."""
    return _AS_THEY_STAND if rule.turned_above is None else _TURNED


def check_directions(composition: Composition, components: Mapping[str, ModelSpec]) -> None:
    """Raises BundleError unless the step of directions, if there is one, can say that a region stands upside down."""
    for name in (step.component for step in composition.steps if step.name == DIRECTIONS):
        labels = components[name].postprocess
        if not isinstance(labels, ClassificationPostprocess) or UPSIDE_DOWN not in labels.labels:
            raise BundleError(
                f"'{composition.model}.{name}' must have the label '{UPSIDE_DOWN}' to say what is turned."
            )


def reading_item(rule: LinesPostprocess, step: str, values: Sequence[Any]) -> Any:
    """What the component of a step of reading is asked about; what stands upside down is turned before it is read."""
    if step != TEXTS or len(values) == 2:
        return item_of(values)
    image, region, direction = values
    return replace(item_of([image, region]), upside_down=is_upside_down(rule, direction))


def is_upside_down(rule: LinesPostprocess, direction: ImageClassification) -> bool:
    """Whether a region is to be turned, by its labels."""
    best = direction.labels[0]
    return rule.turned_above is not None and best.name == UPSIDE_DOWN and best.score > rule.turned_above


def read_lines(
    rule: LinesPostprocess,
    regions: TextDetection,
    texts: Sequence[TextRecognition],
    directions: Sequence[ImageClassification] | None,
) -> list[ReadLine]:
    """The lines that say something, in the order of their regions."""
    turned = [False] * len(texts) if directions is None else [is_upside_down(rule, each) for each in directions]
    return [
        ReadLine(TextLine(read.text, read.score, region.corners), upside_down)
        for region, read, upside_down in zip(regions.regions, texts, turned, strict=True)
        if read.text and read.score >= rule.threshold
    ]
