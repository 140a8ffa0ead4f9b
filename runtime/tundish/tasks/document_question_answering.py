"""Document question answering: a question and the words of a page in, the words that answer it out.

The network reads where each word stands as well as what it is; the page's pixels it does not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, InvalidInputError
from tundish.manifest import ModelSpec
from tundish.results import DocumentQuestionAnswering, PageAnswer
from tundish.tasks import Item, parts_of
from tundish.tasks.answers import Window, find_page_answers
from tundish.tasks.pages import SIDE, PageWords, read_page
from tundish.tasks.span_answering import Logits, SpanTask, Windowed, answers_to_tensors, windows_of
from tundish.tasks.tokenizing import decoded
from tundish_proto.v1 import inference_pb2 as typed

BOXES = "bbox"
"""The network's input of the tokens' places."""


@dataclass(frozen=True, slots=True, eq=False)
class AskedPage(Windowed):
    """A question with the windows of its page."""

    words: tuple[str, ...]
    boxes: tuple[NDArray[np.int64], ...]
    """Of each window, `[tokens, 4]`."""


class DocumentQuestionAnsweringTask(SpanTask[AskedPage, DocumentQuestionAnswering]):
    """See `Task`."""

    name: ClassVar[str] = "document-question-answering"
    reads = (("question", "page"),)
    result_type: ClassVar[type[DocumentQuestionAnswering]] = DocumentQuestionAnswering

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        tokens = tuple(each for each in spec.inputs if each.name != BOXES)
        if len(tokens) == len(spec.inputs):
            raise BundleError(f"{directory} must read the places of words, as '{BOXES}', to do {self.name}.")
        super().__init__(spec.model_copy(update={"inputs": tokens}), directory)

    def prepare(self, item: Item) -> AskedPage:
        """See `Task.prepare`; raises InvalidInputError also if the question has no word."""
        question, data = parts_of(item)
        page = read_page(data)
        asking = decoded(question).split()  # as transformers' pipeline does before it tokenizes
        if not asking:
            raise InvalidInputError("The question is empty.")
        windows = self._tokenizer.windows(asking, page.words)
        return AskedPage(windows, page.words, tuple(self._places(window, page) for window in windows))

    def _places(self, window: Window, page: PageWords) -> NDArray[np.int64]:
        """Tokens of a word stand where it does, separators in the lower right corner, all others in the upper left."""
        places = np.zeros((len(window.ids), 4), np.int64)
        places[window.ids == self._preprocess.separator_id] = SIDE
        places[window.in_context] = page.boxes[window.words[window.in_context]]
        return places

    def collate(self, items: Sequence[AskedPage]) -> Arrays:
        """See `SpanTask.collate`; also the places of the tokens, `[batch, tokens, 4] int64`, those of padding zeros."""
        arrays = super().collate(items)
        windows = windows_of(items)
        boxes = np.zeros((len(windows), max(len(window.ids) for window in windows), 4), np.int64)
        boxes[self._padding.mask(windows, boxes.shape[1])] = np.concatenate(
            [row for item in items for row in item.boxes]
        )
        return {**arrays, BOXES: boxes}

    def _answered(self, item: AskedPage, starts: Logits, ends: Logits) -> DocumentQuestionAnswering:
        answers = find_page_answers(item.windows, starts, ends, words=item.words, rule=self._rule)
        return DocumentQuestionAnswering(answers)

    @staticmethod
    def to_tensors(results: Sequence[DocumentQuestionAnswering]) -> dict[str, NDArray[np.generic]]:
        """See `answers_to_tensors`; places are words of the page."""
        return answers_to_tensors([result.answers for result in results])

    @staticmethod
    def to_message(result: DocumentQuestionAnswering) -> typed.DocumentQuestionAnswering:
        """See `Task.to_message`."""
        return typed.DocumentQuestionAnswering(
            answers=[
                typed.PageAnswer(text=answer.text, score=answer.score, start=answer.start, end=answer.end)
                for answer in result.answers
            ]
        )

    @staticmethod
    def from_message(message: Any) -> DocumentQuestionAnswering:
        """See `Task.from_message`."""
        return DocumentQuestionAnswering(
            tuple(PageAnswer(each.text, each.score, each.start, each.end) for each in message.answers)
        )
