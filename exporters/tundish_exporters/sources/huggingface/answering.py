"""Networks that find the answer to a question in a context."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import transformers

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import FoundAnswer, QuestionAnswering
from tundish.tasks import Item
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.source import Choices, TextSource, make_pipeline, texts_of

_MAXIMUM_TOKENS = 384
"""Of a window, and what two have in common: as transformers' pipeline has them."""
_MAXIMUM_STRIDE = 128


class AnswerFinder(TextSource):
    """`question-answering`."""

    architecture = Architecture("question-answering", transformers.AutoModelForQuestionAnswering)
    outputs = ("start_logits", "end_logits")
    postprocess: manifest.AnswerPostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        super().__init__(directory, choices)
        if self.preprocess.padding_side == "left":
            raise ExportError(
                f"The tokenizer of {directory} pads at the left, where transformers' pipeline finds answers in the "
                "question as well; tundish does not reproduce that."
            )
        maximum = min(self.preprocess.maximum_tokens, _MAXIMUM_TOKENS)
        self.preprocess = self.preprocess.model_copy(
            update={"maximum_tokens": maximum, "stride": min(maximum // 2, _MAXIMUM_STRIDE)}
        )
        rule = manifest.AnswerPostprocess(cls_id=self._processor.cls_token_id, no_answer=choices.no_answer)
        self.postprocess = rule if choices.top_k is None else rule.model_copy(update={"top_k": choices.top_k})
        self._pipeline: Any = make_pipeline(self.task, model=self._model, device="cpu", tokenizer=self._processor)

    @classmethod
    def reads(cls, choices: Choices) -> tuple[manifest.TextInput, ...]:  # noqa: ARG003
        """See `TextSource.reads`."""
        return ("question", "context")

    def processed(self, item: Item) -> Arrays:
        """See `Source.processed`; a row for each window."""
        rule = self.preprocess
        question, context = texts_of(item)
        encoded = self._processor(
            question,
            context,
            truncation="only_second",
            max_length=rule.maximum_tokens,
            stride=rule.stride,
            padding=True,
            return_overflowing_tokens=True,
            return_token_type_ids=True,
            return_tensors="np",
        )
        return {name: np.asarray(array, np.int64) for name, array in encoded.items()}

    def predict(self, item: Item) -> QuestionAnswering:
        """See `Source.predict`."""
        question, context = texts_of(item)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that PyTorch's tensors become arrays as NumPy 1 had it
            answers = self._pipeline(
                question=question,
                context=context,
                top_k=self.postprocess.top_k,
                max_seq_len=self.preprocess.maximum_tokens,
                doc_stride=self.preprocess.stride,
                max_answer_len=self.postprocess.maximum_tokens,
                handle_impossible_answer=self.postprocess.no_answer,
            )
        found = [answers] if isinstance(answers, dict) else answers
        return QuestionAnswering(
            tuple(FoundAnswer(each["answer"], each["score"], each["start"], each["end"]) for each in found)
        )
