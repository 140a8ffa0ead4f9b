"""Question answering: a question and a context in, the stretches of the context that answer it out.

A context that is too long is read in windows that overlap: an item is as many rows of the engine's batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError, InvalidInputError
from tundish.manifest import AnswerPostprocess, ModelSpec, TensorSpec, TextPreprocess
from tundish.results import FoundAnswer, QuestionAnswering
from tundish.tasks import Item, Task, not_finite, parts_of
from tundish.tasks.answers import Window, find_answers
from tundish.tasks.tokenizing import Padding, decoded
from tundish.tasks.windows import WindowTokenizer
from tundish_proto.v1 import inference_pb2 as typed

MAX_WINDOWS = 32
"""Longer contexts are refused: all windows of an item run at once, in memory that grows with them."""

_NOWHERE = -1
"""Start and end of what fills a row of the output tensors up."""
_LOGITS = ("start_logits", "end_logits")


@dataclass(frozen=True, slots=True, eq=False)
class WindowedContext:
    """A question with the windows of its context."""

    context: str
    windows: tuple[Window, ...]


class QuestionAnsweringTask(Task[WindowedContext, QuestionAnswering]):
    """See `Task`."""

    name: ClassVar[str] = "question-answering"
    reads = (("question", "context"),)
    result_type: ClassVar[type[QuestionAnswering]] = QuestionAnswering
    output_specs = (
        TensorSpec(name="answer", datatype="BYTES", shape=("batch", "answers")),
        TensorSpec(name="score", datatype="FP32", shape=("batch", "answers")),
        TensorSpec(name="start", datatype="INT64", shape=("batch", "answers")),
        TensorSpec(name="end", datatype="INT64", shape=("batch", "answers")),
    )

    def __init__(self, spec: ModelSpec, directory: Path) -> None:
        preprocess, postprocess = spec.preprocess, spec.postprocess
        if not isinstance(preprocess, TextPreprocess) or not isinstance(postprocess, AnswerPostprocess):
            raise BundleError(f"{directory} must read texts and give answers to do {self.name}.")
        if set(_LOGITS) - {output.name for output in spec.outputs} or preprocess.stride is None:
            raise BundleError(f"{directory} must read windows and give {' and '.join(_LOGITS)} to do {self.name}.")
        self._padding = Padding(spec, preprocess)
        self._tokenizer = WindowTokenizer(directory / preprocess.tokenizer, preprocess, preprocess.stride)
        self._rule = postprocess

    def prepare(self, item: Item) -> WindowedContext:
        """See `Task.prepare`."""
        question, context = map(decoded, parts_of(item))
        if not question or not context:
            raise InvalidInputError(f"The {'context' if question else 'question'} is empty.")
        windows = self._tokenizer.windows(question, context)
        if len(windows) > MAX_WINDOWS:
            raise InvalidInputError(
                f"The context takes {len(windows)} windows of what this model reads, the limit is {MAX_WINDOWS}; "
                "ask about a part of it."
            )
        return WindowedContext(context, windows)

    def length(self, item: WindowedContext) -> int:
        """The tokens of all rows, padding included, so that contexts of as many windows share a batch."""
        return len(item.windows) * max(len(window.ids) for window in item.windows)

    def collate(self, items: Sequence[WindowedContext]) -> Arrays:
        """See `Padding.collate`; the windows of an item stand together."""
        return self._padding.collate(_rows(items))

    def finish(self, outputs: Arrays, items: Sequence[WindowedContext]) -> list[QuestionAnswering | EngineError]:
        """See `Task.finish`."""
        starts, ends = (outputs[name].astype(np.float32, copy=False) for name in _LOGITS)
        mask = self._padding.mask(_rows(items), starts.shape[1])
        rows = [(start[kept], end[kept]) for start, end, kept in zip(starts, ends, mask, strict=True)]
        bounds = np.cumsum([0, *(len(item.windows) for item in items)]).tolist()
        return [
            self._result(item, rows[begin:stop]) for item, (begin, stop) in zip(items, pairwise(bounds), strict=True)
        ]

    def _result(
        self, item: WindowedContext, rows: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]
    ) -> QuestionAnswering | EngineError:
        if not all(np.isfinite(logits).all() for row in rows for logits in row):
            return not_finite("scores")
        starts, ends = zip(*rows, strict=True)
        return QuestionAnswering(find_answers(item.windows, starts, ends, context=item.context, rule=self._rule))

    @staticmethod
    def to_tensors(results: Sequence[QuestionAnswering]) -> dict[str, NDArray[np.generic]]:
        """`answer` BYTES, `score` FP32, `start` and `end` INT64, `[batch, answers]`.

        As wide as the result with the most answers; where others have fewer, the rest is an empty answer, a score of 0,
        and -1 for start and end.
        """
        shape = len(results), max(len(result.answers) for result in results)
        texts, scores = np.full(shape, b"", np.object_), np.zeros(shape, np.float32)
        starts, ends = np.full(shape, _NOWHERE, np.int64), np.full(shape, _NOWHERE, np.int64)
        for row, result in enumerate(results):
            for column, answer in enumerate(result.answers):
                texts[row, column], scores[row, column] = answer.text.encode(), answer.score
                starts[row, column], ends[row, column] = answer.start, answer.end
        return {"answer": texts, "score": scores, "start": starts, "end": ends}

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


def _rows(items: Sequence[WindowedContext]) -> list[Window]:
    return [window for item in items for window in item.windows]
