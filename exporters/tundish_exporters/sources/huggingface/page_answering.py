"""Networks that find the answer to a question among the words of a page, by their places: LayoutLM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from tundish import manifest
from tundish.engines import Arrays
from tundish.results import DocumentQuestionAnswering, PageAnswer
from tundish.tasks import Item, parts_of
from tundish.tasks.document_question_answering import BOXES
from tundish.tasks.pages import SIDE, read_page
from tundish_exporters.errors import ExportError
from tundish_exporters.sources.huggingface.loading import Architecture
from tundish_exporters.sources.huggingface.network_writing import write_network
from tundish_exporters.sources.huggingface.source import Choices, TextSource, make_pipeline

_MAXIMUM_STRIDE = 256
"""Tokens that two windows have in common: as transformers' pipeline has it."""
_INPUTS = ("input_ids", BOXES, "attention_mask", "token_type_ids")
_EXAMPLE = (2, 8)
"""Windows and tokens of what the network is traced with."""


class PageAnswerFinder(TextSource):
    """`document-question-answering`."""

    architecture = Architecture("document-question-answering", transformers.AutoModelForDocumentQuestionAnswering)
    outputs = ("start_logits", "end_logits")
    postprocess: manifest.AnswerPostprocess

    def __init__(self, directory: Path, choices: Choices) -> None:
        """Raises ExportError also if the network reads the page's pixels."""
        super().__init__(directory, choices)
        config, tokenizer = self._model.config, self._processor
        if config.model_type != "layoutlm":
            raise ExportError(
                f"The architecture '{config.model_type}' reads the pixels of a page beside its words, which tundish "
                "does not; LayoutLM reads words and places alone."
            )
        if config.max_2d_position_embeddings <= SIDE:
            raise ExportError(
                f"{directory} knows {config.max_2d_position_embeddings} places along a page, and must know {SIDE + 1}."
            )
        if tokenizer.padding_side == "left":
            raise ExportError(
                f"The tokenizer of {directory} pads at the left, which transformers' pipeline refuses; set "
                "padding_side in tokenizer_config.json."
            )
        maximum = self.preprocess.maximum_tokens
        stride = min(maximum // 2, _MAXIMUM_STRIDE)
        self.preprocess = self.preprocess.model_copy(update={"stride": stride, "separator_id": tokenizer.sep_token_id})
        rule = manifest.AnswerPostprocess(cls_id=tokenizer.cls_token_id, no_answer=choices.no_answer)
        self.postprocess = rule if choices.top_k is None else rule.model_copy(update={"top_k": choices.top_k})
        self._pipeline: Any = make_pipeline(self.task, model=self._model, device="cpu", tokenizer=tokenizer)

    @classmethod
    def reads(cls, choices: Choices) -> tuple[manifest.TextInput, ...]:  # noqa: ARG003
        """See `TextSource.reads`."""
        return ("question", "page")

    def write_onnx(self, path: Path) -> None:
        """See `Source.write_onnx`; optimum does not know the network's head."""
        axes = {0: "batch", 1: "tokens"}
        shapes = {name: (*_EXAMPLE, 4) if name == BOXES else _EXAMPLE for name in _INPUTS}
        write_network(
            self._exported,
            path,
            examples={name: torch.ones(shape, dtype=torch.int64) for name, shape in shapes.items()},
            inputs={name: dict(axes) for name in _INPUTS},
            outputs={name: dict(axes) for name in self.outputs},
        )

    def processed(self, item: Item) -> Arrays:
        """See `Source.processed`; a row for each window."""
        question, page = parts_of(item)
        words = read_page(page)
        rule = self.preprocess
        encoded = self._processor(
            question.decode().split(),
            list(words.words),
            is_split_into_words=True,
            truncation="only_second",
            max_length=rule.maximum_tokens,
            stride=rule.stride,
            padding=True,
            return_overflowing_tokens=True,
            return_token_type_ids=True,
        )
        places = np.zeros((*np.shape(encoded["input_ids"]), 4), np.int64)
        for row, ids in enumerate(encoded["input_ids"]):
            parts, numbers = encoded.sequence_ids(row), encoded.word_ids(row)
            for token, (part, word) in enumerate(zip(parts, numbers, strict=True)):
                if part == 1:
                    places[row, token] = words.boxes[word]
                elif ids[token] == rule.separator_id:
                    places[row, token] = SIDE
        return {BOXES: places, **{name: np.asarray(array, np.int64) for name, array in encoded.items()}}

    def predict(self, item: Item) -> DocumentQuestionAnswering:
        """See `Source.predict`."""
        question, page = parts_of(item)
        words = read_page(page)
        found = self._pipeline(
            image=None,
            question=question.decode(),
            word_boxes=list(zip(words.words, words.boxes.tolist(), strict=True)),
            top_k=self.postprocess.top_k,
            max_seq_len=self.preprocess.maximum_tokens,
            doc_stride=self.preprocess.stride,
            max_answer_len=self.postprocess.maximum_tokens,
            handle_impossible_answer=self.postprocess.no_answer,
        )
        return DocumentQuestionAnswering(tuple(map(_page_answer, found)))


def _page_answer(entry: dict[str, Any]) -> PageAnswer:
    """What the pipeline answers, whose end is that of the last word, also where it has none."""
    behind = entry["end"] + 1 if entry["answer"] else 0
    return PageAnswer(entry["answer"], entry["score"], entry["start"], behind)
