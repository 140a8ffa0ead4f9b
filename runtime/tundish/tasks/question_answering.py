"""Question answering: a question and a context in, the stretches of the context that answer it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.errors import InvalidInputError
from tundish.results import FoundAnswer, QuestionAnswering
from tundish.tasks import Item, parts_of
from tundish.tasks.answers import find_answers
from tundish.tasks.span_answering import Logits, SpanTask, Windowed, answers_to_tensors
from tundish.tasks.tokenizing import decoded
from tundish_proto.v1 import inference_pb2 as typed


@dataclass(frozen=True, slots=True, eq=False)
class WindowedContext(Windowed):
    """A question with the windows of its context."""

    context: str


class QuestionAnsweringTask(SpanTask[WindowedContext, QuestionAnswering]):
    """See `Task`."""

    name: ClassVar[str] = "question-answering"
    reads = (("question", "context"),)
    result_type: ClassVar[type[QuestionAnswering]] = QuestionAnswering

    def prepare(self, item: Item) -> WindowedContext:
        """See `Task.prepare`."""
        question, context = map(decoded, parts_of(item))
        if not question or not context:
            raise InvalidInputError(f"The {'context' if question else 'question'} is empty.")
        return WindowedContext(self._tokenizer.windows(question, context), context)

    def _answered(self, item: WindowedContext, starts: Logits, ends: Logits) -> QuestionAnswering:
        return QuestionAnswering(find_answers(item.windows, starts, ends, context=item.context, rule=self._rule))

    @staticmethod
    def to_tensors(results: Sequence[QuestionAnswering]) -> dict[str, NDArray[np.generic]]:
        """See `answers_to_tensors`; places are characters of the context."""
        return answers_to_tensors([result.answers for result in results])

    @staticmethod
    def to_message(result: QuestionAnswering) -> typed.QuestionAnswering:
        """See `Task.to_message`."""
        return typed.QuestionAnswering(
            answers=[
                typed.FoundAnswer(text=answer.text, score=answer.score, start=answer.start, end=answer.end)
                for answer in result.answers
            ]
        )

    @staticmethod
    def from_message(message: Any) -> QuestionAnswering:
        """See `Task.from_message`."""
        return QuestionAnswering(
            tuple(FoundAnswer(each.text, each.score, each.start, each.end) for each in message.answers)
        )
