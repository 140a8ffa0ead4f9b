"""What the tasks share that find answers by where they begin and end, in a context or among the words of a page.

What is too long is read in windows that overlap: an item is as many rows of the engine's batch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tundish.engines import Arrays
from tundish.errors import BundleError, EngineError
from tundish.manifest import AnswerPostprocess, ModelSpec, TensorSpec, TextPreprocess
from tundish.results import FoundAnswer, PageAnswer
from tundish.tasks import ResultT, Task, not_finite
from tundish.tasks.answers import Window
from tundish.tasks.tokenizing import Padding
from tundish.tasks.windows import WindowTokenizer

Logits = Sequence[NDArray[np.float32]]
"""For each window of an item, `[tokens]`."""

_NOWHERE = -1
"""Start and end of what fills a row of the output tensors up."""
_LOGITS = ("start_logits", "end_logits")


@dataclass(frozen=True, slots=True, eq=False)
class Windowed:
    """An item in windows."""

    windows: tuple[Window, ...]


AskedT = TypeVar("AskedT", bound=Windowed)


class SpanTask(Task[AskedT, ResultT], Generic[AskedT, ResultT]):
    """See `Task`."""

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
        self._preprocess, self._rule = preprocess, postprocess

    def length(self, item: AskedT) -> int:
        """The tokens of all rows, padding included, so that items of as many windows share a batch."""
        return len(item.windows) * max(len(window.ids) for window in item.windows)

    def collate(self, items: Sequence[AskedT]) -> Arrays:
        """See `Padding.collate`; the windows of an item stand together."""
        return self._padding.collate(windows_of(items))

    def finish(self, outputs: Arrays, items: Sequence[AskedT]) -> list[ResultT | EngineError]:
        """See `Task.finish`."""
        starts, ends = (outputs[name].astype(np.float32, copy=False) for name in _LOGITS)
        mask = self._padding.mask(windows_of(items), starts.shape[1])
        rows = [(start[kept], end[kept]) for start, end, kept in zip(starts, ends, mask, strict=True)]
        bounds = np.cumsum([0, *(len(item.windows) for item in items)]).tolist()
        return [
            self._result(item, rows[begin:stop]) for item, (begin, stop) in zip(items, pairwise(bounds), strict=True)
        ]

    def _result(
        self, item: AskedT, rows: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]
    ) -> ResultT | EngineError:
        if not all(np.isfinite(logits).all() for row in rows for logits in row):
            return not_finite("scores")
        starts, ends = zip(*rows, strict=True)
        return self._answered(item, starts, ends)

    @abstractmethod
    def _answered(self, item: AskedT, starts: Logits, ends: Logits) -> ResultT:
        """The answers by the logits of being the first and the last token of one."""


def windows_of(items: Sequence[AskedT]) -> list[Window]:
    """The rows of the batch that these items make."""
    return [window for item in items for window in item.windows]


def answers_to_tensors(rows: Sequence[Sequence[FoundAnswer | PageAnswer]]) -> dict[str, NDArray[np.generic]]:
    """`answer` BYTES, `score` FP32, `start` and `end` INT64, `[batch, answers]`.

    As wide as the row with the most answers; where others have fewer, the rest is an empty answer, a score of 0, and -1
    for start and end.
    """
    shape = len(rows), max(map(len, rows))
    texts, scores = np.full(shape, b"", np.object_), np.zeros(shape, np.float32)
    starts, ends = np.full(shape, _NOWHERE, np.int64), np.full(shape, _NOWHERE, np.int64)
    for row, answers in enumerate(rows):
        for column, answer in enumerate(answers):
            texts[row, column], scores[row, column] = answer.text.encode(), answer.score
            starts[row, column], ends[row, column] = answer.start, answer.end
    return {"answer": texts, "score": scores, "start": starts, "end": ends}
