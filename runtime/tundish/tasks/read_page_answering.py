"""Document question answering by the image alone: its lines are read, and a question is asked about their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tundish.errors import BundleError, InvalidInputError
from tundish.manifest import Composition, ModelSpec, ReadPagePostprocess
from tundish.results import DocumentQuestionAnswering
from tundish.tasks import Item, parts_of
from tundish.tasks.composed import ComposedTask, StepForm, check_steps
from tundish.tasks.document_question_answering import DocumentQuestionAnsweringTask
from tundish.tasks.document_reading import (
    DIRECTIONS,
    REGIONS,
    TEXTS,
    check_directions,
    read_lines,
    reading_item,
    reading_steps,
)
from tundish.tasks.pages import page_of
from tundish.tasks.shared_image import SharedImage
from tundish.tasks.tokenizing import decoded

ANSWERS = "answers"
"""The value that the last step must make, of the question and what was read."""


class ReadPageAnsweringTask(ComposedTask[DocumentQuestionAnswering]):
    """See `ComposedTask`; places of answers are words in the order in which they were read."""

    name: ClassVar[str] = DocumentQuestionAnsweringTask.name
    reads = (("image", "question"),)
    result_type: ClassVar[type[DocumentQuestionAnswering]] = DocumentQuestionAnswering
    output_specs = DocumentQuestionAnsweringTask.output_specs

    def __init__(self, composition: Composition, components: Mapping[str, ModelSpec]) -> None:
        rule = composition.postprocess
        if not isinstance(rule, ReadPagePostprocess):
            raise BundleError(f"'{composition.model}' must read pages to do {self.name}.")
        reading = reading_steps(rule.lines)
        answering: StepForm = (self.name, ("image", "question", *reading), None)
        check_steps(composition, components, {**reading, ANSWERS: answering}, self.name)
        check_directions(composition, components)
        self._rule = rule.lines

    def read(self, item: Item) -> dict[str, Any]:
        """See `ComposedTask.read`."""
        image, question = parts_of(item)
        if not decoded(question).strip():
            raise InvalidInputError("The question is empty.")  # before the image is read, which takes long
        return {"image": SharedImage(image), "question": question}

    def item(self, step: str, values: Sequence[Any]) -> Any:
        """See `ComposedTask.item`."""
        if step != ANSWERS:
            return reading_item(self._rule, step, values)
        image, question, *read = values
        made = dict(zip(reading_steps(self._rule), read, strict=True))
        lines = read_lines(self._rule, made[REGIONS], made[TEXTS], made.get(DIRECTIONS))
        decoded_image = image.decoded()
        return question, page_of((decoded_image.height, decoded_image.width), lines)

    def join(self, values: Mapping[str, Any]) -> DocumentQuestionAnswering:
        """See `ComposedTask.join`."""
        answers: DocumentQuestionAnswering = values[ANSWERS]
        return answers

    to_tensors = staticmethod(DocumentQuestionAnsweringTask.to_tensors)
    to_message = staticmethod(DocumentQuestionAnsweringTask.to_message)
    from_message = staticmethod(DocumentQuestionAnsweringTask.from_message)
