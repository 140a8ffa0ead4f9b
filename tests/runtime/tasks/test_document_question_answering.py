"""From the words of a page to answers, with transformers' own pipeline before and behind the network for the oracle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.span_logits import collated
from support.text_tasks import page_tokenizer

from tundish.errors import BundleError, EngineError, InvalidInputError
from tundish.manifest import AnswerPostprocess, ModelSpec, TensorSpec, TextPreprocess
from tundish.results import DocumentQuestionAnswering, PageAnswer
from tundish.tasks.document_question_answering import DocumentQuestionAnsweringTask
from tundish.tasks.windows import MAX_WINDOWS

MAXIMUM, STRIDE = 24, 5
TOKENIZERS = ("bert", "roberta", "deberta")
"""Word pieces, bytes in pairs, and a unigram model."""
QUESTION = " the \n naïve  one? "
words = st.sampled_from(("the", "Bearing!", "naïve", "e\u0301", "東京", "😀", "two words", "[SEP]", "", "12.50"))
corners = (
    st.tuples(*[st.integers(0, 1000)] * 4)
    .map(lambda box: [*sorted(box[::2]), *sorted(box[1::2])])
    .map(lambda box: [box[0], box[2], box[1], box[3]])
)
pages = st.lists(st.tuples(words, corners), min_size=1, max_size=30)

Placed = list[tuple[str, list[int]]]
"""Words with their boxes, as transformers' pipeline takes them."""


def as_page(placed: Placed) -> bytes:
    listed = [{"text": text, "box": box, "sure": 0.5} for text, box in placed]
    return json.dumps({"width": 1000, "height": 1000, "words": listed, "language": "en"}).encode()


def spec(
    rule: Any, inputs: Sequence[str] = ("input_ids", "bbox", "attention_mask", "token_type_ids"), **more: Any
) -> ModelSpec:
    shape = ("batch", "tokens")
    return ModelSpec(
        task="document-question-answering",
        inputs=tuple(
            TensorSpec(name=name, datatype="INT64", shape=(*shape, 4) if name == "bbox" else shape) for name in inputs
        ),
        outputs=tuple(TensorSpec(name=name, datatype="FP32", shape=shape) for name in ("start_logits", "end_logits")),
        preprocess=TextPreprocess(maximum_tokens=MAXIMUM, reads=("question", "page"), stride=STRIDE, **more),
        postprocess=rule,
    )


class Case:
    """A tokenizer with the task and the pipeline that read by it; the network is left out."""

    def __init__(self, family: str, words_directory: Path, directory: Path) -> None:
        self.tokenizer = page_tokenizer(family, words_directory)
        self.tokenizer.backend_tokenizer.save(str(directory / "tokenizer.json"))
        self._directory = directory
        library: Any = transformers  # whose annotations are patchy
        config = library.LayoutLMConfig(vocab_size=8, hidden_size=4, num_hidden_layers=1, num_attention_heads=1)
        model = library.LayoutLMForQuestionAnswering(config)
        self._pipeline = library.DocumentQuestionAnsweringPipeline(
            model=model, tokenizer=self.tokenizer, framework="pt"
        )

    @cache  # noqa: B019 - a case lives as long as its module
    def task(self, top_k: int, *, no_answer: bool) -> DocumentQuestionAnsweringTask:
        rule = AnswerPostprocess(top_k=top_k, no_answer=no_answer, cls_id=self.tokenizer.cls_token_id)
        made = spec(rule, separator_id=self.tokenizer.sep_token_id, padding_id=self.tokenizer.pad_token_id)
        return DocumentQuestionAnsweringTask(made, self._directory)

    def windows(self, placed: Placed) -> list[dict[str, Any]]:
        asked = {"question": QUESTION, "word_boxes": placed}
        return list(self._pipeline.preprocess(asked, doc_stride=STRIDE, max_seq_len=MAXIMUM))

    def expected(
        self, windows: Sequence[dict[str, Any]], logits: Sequence[NDArray[np.float32]], top_k: int, *, no_answer: bool
    ) -> list[PageAnswer]:
        outputs = [
            {**window, "start_logits": torch.from_numpy(start)[None], "end_logits": torch.from_numpy(end)[None]}
            for window, (start, end) in zip(windows, logits, strict=True)
        ]
        found = self._pipeline.postprocess(outputs, top_k=top_k, handle_impossible_answer=no_answer)
        # What scores nothing was no answer, but filled the pipeline's list up; its end is the last word of an answer.
        nowhere = {"answer": "", "start": 0, "end": 0}
        return [
            PageAnswer(
                each["answer"], each["score"], each["start"], each["end"] + (not nowhere.items() <= each.items())
            )
            for each in found
            if each["score"] > 0
        ]


@pytest.fixture(scope="module")
def cases(minilm_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return {family: Case(family, minilm_directory, tmp_path_factory.mktemp("tokenizer")) for family in TOKENIZERS}


@pytest.mark.parametrize("family", TOKENIZERS)
@settings(max_examples=12, deadline=None)
@given(
    asked=st.lists(pages, min_size=1, max_size=3),
    seed=st.integers(0, 2**32 - 1),
    top_k=st.sampled_from((1, 3)),
    no_answer=st.booleans(),
)
def test_windows_places_and_answers_are_those_of_the_pipeline(
    cases: dict[str, Case], family: str, asked: list[Placed], seed: int, top_k: int, no_answer: bool
) -> None:
    case = cases[family]
    assume(all(len(case.windows(placed)) <= MAX_WINDOWS for placed in asked))
    task = case.task(top_k, no_answer=no_answer)
    items = [task.prepare((QUESTION.encode(), as_page(placed))) for placed in asked]
    arrays = task.collate(items)
    generator = np.random.default_rng(seed)
    rows, expected, row = [], [], 0
    for item, placed in zip(items, asked, strict=True):
        windows = case.windows(placed)
        assert len(windows) == len(item.windows)
        for window in windows:
            kept = arrays["attention_mask"][row] == 1
            for name in ("input_ids", "token_type_ids", "bbox"):
                assert arrays[name][row][kept].tolist() == window[name][0].tolist()
            assert not arrays["bbox"][row][~kept].any()
            row += 1
        logits = [generator.normal(0, 2, (2, window["input_ids"].shape[1])).astype(np.float32) for window in windows]
        rows += logits
        expected.append(case.expected(windows, logits, top_k, no_answer=no_answer))
    assert len(arrays["input_ids"]) == row
    for result, wanted in zip(task.finish(collated(rows), items), expected, strict=True):
        assert isinstance(result, DocumentQuestionAnswering)
        places = [(each.text, each.start, each.end) for each in result.answers]
        assert places == [(each.text, each.start, each.end) for each in wanted]
        np.testing.assert_allclose([each.score for each in result.answers], [each.score for each in wanted], rtol=1e-5)


PLACED: Placed = [("Total", [10, 10, 90, 30]), ("12.50", [100, 10, 180, 30]), ("Euro", [200, 10, 280, 30])]


def test_places_are_words_of_the_page(cases: dict[str, Case]) -> None:
    task = cases["bert"].task(1, no_answer=False)
    item = task.prepare((b"how much", as_page(PLACED)))
    (window,) = item.windows
    logits = np.zeros((2, 1, len(window.ids)), np.float32)
    logits[0, 0, np.flatnonzero(window.words == 1)[-1]] = logits[1, 0, -2] = 20
    (result,) = task.finish({"start_logits": logits[0], "end_logits": logits[1]}, [item])
    assert isinstance(result, DocumentQuestionAnswering)
    assert [(each.text, each.start, each.end) for each in result.answers] == [("12.50 Euro", 1, 3)]


def test_an_item_without_numbers_fails_alone(cases: dict[str, Case]) -> None:
    task = cases["bert"].task(1, no_answer=False)
    item = task.prepare((b"how much", as_page(PLACED)))
    logits = np.zeros((2, 2, len(item.windows[0].ids)), np.float32)
    logits[1, 0, 1] = np.nan
    failed, answered = task.finish({"start_logits": logits[0], "end_logits": logits[1]}, [item, item])
    assert isinstance(failed, EngineError)
    assert isinstance(answered, DocumentQuestionAnswering)


@pytest.mark.parametrize(
    ("question", "placed", "said"),
    [
        (" \n ", PLACED, "The question is empty"),
        ("a " * 16, PLACED * 8, "The question has 16 tokens; before a context of several windows, this model takes 15"),
        ("a", PLACED * 3000, r"The page takes \d+ windows of what this model reads, the limit is 32"),
    ],
)
def test_what_cannot_be_read_is_refused(cases: dict[str, Case], question: str, placed: Placed, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        cases["bert"].task(1, no_answer=False).prepare((question.encode(), as_page(placed)))


RESULTS = (
    DocumentQuestionAnswering((PageAnswer("12.50 €", 0.5, 1, 3), PageAnswer("", 0.25, 0, 0))),
    DocumentQuestionAnswering(()),
)


@pytest.mark.parametrize("result", RESULTS)
def test_a_message_holds_all_of_a_result(result: DocumentQuestionAnswering) -> None:
    message = DocumentQuestionAnsweringTask.to_message(result)
    assert DocumentQuestionAnsweringTask.from_message(type(message).FromString(message.SerializeToString())) == result


def test_tensors_are_filled_up_to_the_result_with_the_most_answers() -> None:
    tensors = {name: array.tolist() for name, array in DocumentQuestionAnsweringTask.to_tensors(RESULTS).items()}
    assert tensors == {
        "answer": [["12.50 €".encode(), b""], [b"", b""]],
        "score": [[0.5, 0.25], [0, 0]],
        "start": [[1, 0], [-1, -1]],
        "end": [[3, 0], [-1, -1]],
    }


def test_a_network_that_reads_no_places_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="must read the places of words, as 'bbox'"):
        DocumentQuestionAnsweringTask(spec(AnswerPostprocess(), inputs=("input_ids", "attention_mask")), tmp_path)
