"""From windows to answers, with the pre- and post-processing of transformers' own pipeline for the oracle."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.model_families import TEXT_FAMILIES
from support.span_logits import collated

from tundish.errors import BundleError, EngineError, InvalidInputError
from tundish.manifest import AnswerPostprocess, ModelSpec, TensorSpec, TextPreprocess
from tundish.results import FoundAnswer, QuestionAnswering
from tundish.tasks.question_answering import QuestionAnsweringTask, WindowedContext

MAXIMUM, STRIDE = 24, 5
TOKENIZERS = ("bert", "roberta", "roberta that drops the beginning", "deberta")
"""Word pieces, bytes in pairs, and a unigram model."""
words = st.sampled_from(("the", "Bearing!", "naïve", "e\u0301", "東京", "😀", "the", "Seven", "runs", "  ", "[SEP]"))
contexts = st.lists(words, min_size=1, max_size=30).map(" ".join).filter(str.strip)


def spec(
    rule: Any,
    *,
    stride: int | None = STRIDE,
    outputs: Sequence[str] = ("start_logits", "end_logits"),
    **preprocess: Any,
) -> ModelSpec:
    shape = ("batch", "tokens")
    names = ("input_ids", "attention_mask", "token_type_ids")
    return ModelSpec(
        task="question-answering",
        inputs=tuple(TensorSpec(name=name, datatype="INT64", shape=shape) for name in names),
        outputs=tuple(TensorSpec(name=name, datatype="FP32", shape=shape) for name in outputs),
        preprocess=TextPreprocess(
            **{"maximum_tokens": MAXIMUM, "reads": ("question", "context"), "stride": stride, **preprocess}
        ),
        postprocess=rule,
    )


class Case:
    """A tokenizer with the task and the pipeline that read by it; the network is left out."""

    def __init__(self, family: str, words_directory: Path, directory: Path) -> None:
        _, self.tokenizer = TEXT_FAMILIES[family](words_directory)
        self.tokenizer.model_max_length = MAXIMUM
        self.tokenizer.backend_tokenizer.save(str(directory / "tokenizer.json"))
        self._directory = directory
        library: Any = transformers  # whose annotations are patchy
        config = library.BertConfig(vocab_size=8, hidden_size=4, num_hidden_layers=1, num_attention_heads=1)
        model = library.BertForQuestionAnswering(config)
        self._pipeline = library.QuestionAnsweringPipeline(model=model, tokenizer=self.tokenizer, framework="pt")

    @cache  # noqa: B019 - a case lives as long as its module
    def task(self, top_k: int, *, no_answer: bool) -> QuestionAnsweringTask:
        rule = AnswerPostprocess(top_k=top_k, no_answer=no_answer, cls_id=self.tokenizer.cls_token_id)
        return QuestionAnsweringTask(spec(rule, truncation_side=self.tokenizer.truncation_side), self._directory)

    def windows(self, question: str, context: str) -> list[dict[str, Any]]:
        example = self._pipeline.create_sample(question, context)
        return list(self._pipeline.preprocess(example, doc_stride=STRIDE, max_seq_len=MAXIMUM))

    def expected(
        self, windows: Sequence[dict[str, Any]], logits: Sequence[NDArray[np.float32]], top_k: int, *, no_answer: bool
    ) -> list[FoundAnswer]:
        outputs = [
            {**window, "start": torch.from_numpy(start)[None], "end": torch.from_numpy(end)[None]}
            for window, (start, end) in zip(windows, logits, strict=True)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = self._pipeline.postprocess(outputs, top_k=top_k, handle_impossible_answer=no_answer)
        found = [answer] if isinstance(answer, dict) else answer
        # What scores nothing was no answer, but filled the pipeline's list up.
        return [
            FoundAnswer(each["answer"], each["score"], each["start"], each["end"])
            for each in found
            if each["score"] > 0
        ]


@pytest.fixture(scope="module")
def cases(minilm_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return {family: Case(family, minilm_directory, tmp_path_factory.mktemp("tokenizer")) for family in TOKENIZERS}


@pytest.mark.parametrize("family", TOKENIZERS)
@settings(max_examples=8, deadline=None)
@given(
    texts=st.lists(contexts, min_size=1, max_size=3),
    seed=st.integers(0, 2**32 - 1),
    top_k=st.sampled_from((1, 3)),
    no_answer=st.booleans(),
)
def test_windows_and_answers_are_those_of_the_pipeline(
    cases: dict[str, Case], family: str, texts: list[str], seed: int, top_k: int, no_answer: bool
) -> None:
    case, question = cases[family], "the?"
    task = case.task(top_k, no_answer=no_answer)
    items = [task.prepare((question.encode(), context.encode())) for context in texts]
    arrays = task.collate(items)
    generator = np.random.default_rng(seed)
    rows, expected, row = [], [], 0
    for item, context in zip(items, texts, strict=True):
        windows = case.windows(question, context)
        assert len(windows) == len(item.windows)
        for window in windows:
            kept = arrays["attention_mask"][row] == 1
            for name in ("input_ids", "token_type_ids"):
                assert arrays[name][row][kept].tolist() == window[name][0].tolist()
            row += 1
        logits = [generator.normal(0, 2, (2, window["input_ids"].shape[1])).astype(np.float32) for window in windows]
        rows += logits
        expected.append(case.expected(windows, logits, top_k, no_answer=no_answer))
        assert task.length(item) == len(windows) * max(window["input_ids"].shape[1] for window in windows)
    assert len(arrays["input_ids"]) == row
    for result, wanted in zip(task.finish(collated(rows), items), expected, strict=True):
        assert isinstance(result, QuestionAnswering)
        places = [(each.text, each.start, each.end) for each in result.answers]
        assert places == [(each.text, each.start, each.end) for each in wanted]
        np.testing.assert_allclose([each.score for each in result.answers], [each.score for each in wanted], rtol=1e-5)


def logits_of(item: WindowedContext, start: int, end: int) -> dict[str, NDArray[np.float32]]:
    """That the answer of the first window is from one of its tokens to another."""
    logits = np.zeros((2, len(item.windows), len(item.windows[0].ids)), np.float32)
    logits[0, 0, start] = logits[1, 0, end] = 20
    return {"start_logits": logits[0], "end_logits": logits[1]}


def test_places_are_characters_of_the_context_and_answers_whole_words(cases: dict[str, Case]) -> None:
    task = cases["bert"].task(1, no_answer=False)
    item = task.prepare((b"where?", "😀 É in Unbelievablexyz  東".encode()))
    (window,) = item.windows
    (inside,) = 1 + np.flatnonzero(window.in_context[1:] & (window.words[1:] == window.words[:-1]))[:1]
    assert window.spans[inside, 0] > 7  # a later piece of the long word
    (result,) = task.finish(logits_of(item, inside, len(window.ids) - 2), [item])
    assert isinstance(result, QuestionAnswering)
    assert [(each.text, each.start, each.end) for each in result.answers] == [("Unbelievablexyz  東", 7, 25)]


def test_an_item_without_numbers_fails_alone(cases: dict[str, Case]) -> None:
    task = cases["bert"].task(1, no_answer=False)
    item = task.prepare((b"where?", b"paris"))
    good = logits_of(item, 4, 4)
    outputs = {name: np.concatenate([array, array]) for name, array in good.items()}
    outputs["end_logits"][0, 1] = np.nan
    failed, answered = task.finish(outputs, [item, item])
    assert isinstance(failed, EngineError)
    assert isinstance(answered, QuestionAnswering)
    assert [each.text for each in answered.answers] == ["paris"]


@pytest.mark.parametrize(
    ("question", "context", "said"),
    [
        ("", "a", "The question is empty"),
        ("a", "", "The context is empty"),
        ("a " * 16, "b " * 16, "The question has 16 tokens; before a context of several windows, this model takes 15"),
        ("a", "b " * 10_000, r"takes \d+ windows of what this model reads, the limit is 32"),
    ],
)
def test_what_cannot_be_read_is_refused(cases: dict[str, Case], question: str, context: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        cases["bert"].task(1, no_answer=False).prepare((question.encode(), context.encode()))


def test_a_long_question_before_a_context_that_fits_is_answered(cases: dict[str, Case]) -> None:
    task = cases["bert"].task(1, no_answer=False)
    assert len(task.prepare((b"a " * 16, b"b")).windows) == 1
    assert len(task.prepare((b"a " * 15, b"b " * 16)).windows) > 1


RESULTS = (
    QuestionAnswering((FoundAnswer("Émil", 0.5, 0, 4), FoundAnswer("", 0.25, 0, 0))),
    QuestionAnswering(()),
)


@pytest.mark.parametrize("result", RESULTS)
def test_a_message_holds_all_of_a_result(result: QuestionAnswering) -> None:
    message = QuestionAnsweringTask.to_message(result)
    assert QuestionAnsweringTask.from_message(type(message).FromString(message.SerializeToString())) == result


def test_tensors_are_filled_up_to_the_result_with_the_most_answers() -> None:
    tensors = {name: array.tolist() for name, array in QuestionAnsweringTask.to_tensors(RESULTS).items()}
    assert tensors == {
        "answer": [["Émil".encode(), b""], [b"", b""]],
        "score": [[0.5, 0.25], [0, 0]],
        "start": [[0, 0], [-1, -1]],
        "end": [[4, 0], [-1, -1]],
    }


@pytest.mark.parametrize("change", [{"stride": None}, {"outputs": ("logits",)}])
def test_a_bundle_that_gives_no_answers_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="must read windows and give start_logits and end_logits"):
        QuestionAnsweringTask(spec(AnswerPostprocess(), **change), tmp_path)
