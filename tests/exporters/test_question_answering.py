"""Answers are those of transformers' pipeline: in process, and served, by every way to ask."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
import tritonclient.grpc
from support.commands import call_tundish
from support.measuring import measure
from support.model_families import POSITIONS
from support.server_process import ServerProcess
from support.text_tasks import save_answer_finder

import tundish
from tundish.client import AsyncClient, Client
from tundish.errors import InvalidInputError
from tundish.manifest import AnswerPostprocess, TextPreprocess
from tundish.results import FoundAnswer, QuestionAnswering
from tundish_exporters import ExportError, export_huggingface
from tundish_exporters.equality import compare_results
from tundish_exporters.probes import probe_inputs

QUESTIONS = (
    ("Where is it?", "It is in Salzburg, unbelievably."),
    ("What of the 漢字?", "façade, κόσμος 漢字 stand 😀 beside naïve e\u0301 words"),
    ("Who?", "The tundish stands between the ladle and the moulds, and bearing seven runs hot again. " * 6),
    ("What runs hot?", "a b a b A B a b. " * 30),
)
"""The last two are longer than any model here reads; the last has answers of the same wording in many places."""

Answers = tuple[FoundAnswer, ...]


def answers_of(source: Path, question: str, context: str, top_k: int, *, no_answer: bool) -> Answers:
    """What a user of transformers gets."""
    load: Any = transformers.AutoTokenizer.from_pretrained
    tokenizer = load(source, model_max_length=POSITIONS)
    pipeline: Any = transformers.pipeline("question-answering", model=str(source), tokenizer=tokenizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that tensors become arrays as NumPy 1 had it
        answer = pipeline(question=question, context=context, top_k=top_k, handle_impossible_answer=no_answer)
    found = [answer] if isinstance(answer, dict) else answer
    return tuple(FoundAnswer(each["answer"], each["score"], each["start"], each["end"]) for each in found)


def assert_answers(expected: Answers, actual: Answers, tolerance: float = 1e-3) -> None:
    assert [(each.text, each.start, each.end) for each in expected] == [
        (each.text, each.start, each.end) for each in actual
    ]
    np.testing.assert_allclose(
        [each.score for each in actual], [each.score for each in expected], atol=tolerance, rtol=0
    )


def write_questions(directory: Path) -> Path:
    """As a table, for tokenizers so small that the probes of an export are too long for them."""
    path = directory / "questions.jsonl"
    rows = [{"question": question, "context": context} for question, context in QUESTIONS]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


FAMILIES = {"bert": (1, False), "roberta": (3, True), "distilbert": (2, True), "deberta": (1, False)}
"""With how many answers are asked for, and whether there may be none."""


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_those_of_the_pipeline(family: str, tmp_path: Path, minilm_directory: Path) -> None:
    source = save_answer_finder(tmp_path / "source", family, minilm_directory)
    top_k, no_answer = FAMILIES[family]
    bundle = export_huggingface(
        source, task="question-answering", name="answers", repository=tmp_path / "models", precision="fp32",
        top_k=top_k, no_answer=no_answer, calibration=None if family == "bert" else write_questions(tmp_path),
    ).bundle  # fmt: skip
    assert isinstance(bundle.manifest.preprocess, TextPreprocess)
    assert bundle.manifest.preprocess.stride == POSITIONS // 2
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for question, context in QUESTIONS:
            result = runtime.predict("answers", question=question, context=context).result
            assert isinstance(result, QuestionAnswering)
            assert_answers(answers_of(source, question, context, top_k, no_answer=no_answer), result.answers)


async def test_answers_are_served_by_every_way(tmp_path: Path, minilm_directory: Path) -> None:
    source = save_answer_finder(tmp_path / "source", "bert", minilm_directory)
    table = write_questions(tmp_path)
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    export_huggingface(
        source, task="question-answering", name="answers", repository=tmp_path / "models", calibration=table,
        precision="fp32", top_k=2,
    )  # fmt: skip
    expected = [answers_of(source, *asked, 2, no_answer=False) for asked in QUESTIONS]
    with ServerProcess(tmp_path / "models", "--instances", "1") as process:
        async with AsyncClient(process.url) as awaiting:
            for row, answers in zip(rows, expected, strict=True):
                result = (await awaiting.predict("answers", **row)).result
                assert isinstance(result, QuestionAnswering)
                assert_answers(answers, result.answers)
        with Client(process.url) as client:
            for part, said in (("question", "The question is empty"), ("context", "The context is empty")):
                with pytest.raises(InvalidInputError, match=said):
                    client.predict("answers", **{"question": "a", "context": "b", part: ""})  # type: ignore[arg-type]
        flags = ("--question", QUESTIONS[0][0], "--context", QUESTIONS[0][1], "--url", process.url)
        assert expected[0][0].text in call_tundish("infer", "answers", *flags).stdout
        ran = json.loads(call_tundish("infer", "answers", *flags, "--json").stdout)
        assert_answers(expected[0], tuple(FoundAnswer(**answer) for answer in ran["answers"]))
        stock = tritonclient.grpc.InferenceServerClient(process.url)
        tensors = []
        for name, values in zip(("question", "context"), zip(*QUESTIONS, strict=True), strict=True):
            tensor = tritonclient.grpc.InferInput(name, [len(values), 1], "BYTES")
            tensor.set_data_from_numpy(np.array([[value.encode()] for value in values], np.object_))
            tensors.append(tensor)
        answer = stock.infer("answers", tensors)
        columns = {name: answer.as_numpy(name) for name in ("answer", "score", "start", "end")}
        for row_number, answers in enumerate(expected):
            found = zip(*(array[row_number].tolist() for array in columns.values()), strict=True)
            assert_answers(answers, tuple(FoundAnswer(text.decode(), *rest) for text, *rest in found))
        stock.close()


def answered(*texts: str, score: float = 0.5) -> QuestionAnswering:
    return QuestionAnswering(tuple(FoundAnswer(text, score, 0, len(text)) for text in texts))


def test_the_gate_counts_best_answers_that_are_equal() -> None:
    wanted = [answered("Graz", "Wien"), answered("Bonn"), answered()]
    assert measure([answered("Graz"), answered("Steyr"), answered()], wanted).value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("actual", "fault"),
    [
        (answered("Graz", score=0.5004), ""),
        (answered("Graz", score=0.502), "'Graz' has the score 0.5020, where the source has 0.5000"),
        (answered("Wien", score=0.3), "'Wien' at 0 to 4 is no answer of the source"),
        (answered(), "it has 0 answers, not 1"),
    ],
)
def test_parity_says_where_answers_part(actual: QuestionAnswering, fault: str) -> None:
    assert compare_results(answered("Graz"), actual)[1] == fault


def test_a_tokenizer_that_pads_at_the_left_is_refused(tmp_path: Path, minilm_directory: Path) -> None:
    source = save_answer_finder(tmp_path / "source", "bert", minilm_directory)
    path = source / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "padding_side": "left"}))
    with pytest.raises(ExportError, match="pads at the left"):
        export_huggingface(source, task="question-answering", name="m", repository=tmp_path / "models")


@pytest.mark.parametrize(("flag", "value"), [("no_answer", True), ("top_k", 3)])
def test_choices_of_other_tasks_are_refused(flag: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=f"{flag} is for question-answering.*, not for text-ranking; leave it out"):
        export_huggingface(tmp_path, task="text-ranking", name="m", repository=tmp_path / "models", **{flag: value})


def test_a_model_that_reads_few_tokens_is_probed_with_few_windows() -> None:
    rule = AnswerPostprocess()
    for tokens, words in ((64, 128), (384, 410)):
        probes: list[Any] = probe_inputs(("question", "context"), rule, tokens=tokens)
        assert max(len(context.split()) for _, context in probes) == words
