"""Answers to questions about pages are those of transformers' pipeline: in process, and served, by every way to ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
import tritonclient.grpc
from support.commands import call_tundish
from support.loaded import engine_model
from support.measuring import measure
from support.model_families import POSITIONS
from support.once import made_once
from support.server_process import ServerProcess
from support.text_tasks import save_page_answer_finder

import tundish
from tundish.client import AsyncClient, Client
from tundish.errors import InvalidInputError
from tundish.inputs import Page
from tundish.manifest import TextPreprocess
from tundish.results import DocumentQuestionAnswering, PageAnswer
from tundish_exporters import ExportError, export_huggingface
from tundish_exporters.equality import compare_results

hf: Any = transformers
TASK: Any = "document-question-answering"
WIDTH, HEIGHT = 640, 400.5

Answers = tuple[PageAnswer, ...]


def page_of(text: str, columns: int = 4) -> Page:
    """Its words in so many columns, a word 100 by 12.5 pixels."""
    words = []
    for number, word in enumerate(text.split(" ")):
        left, top = number % columns * 150.25, number // columns * 14.5 % 380
        words.append({"text": word, "box": [left, top, left + 100, top + 12.5]})
    return {"width": WIDTH, "height": HEIGHT, "words": words}  # type: ignore[typeddict-item]


QUESTIONS = (
    ("What is the total?", page_of("Invoice 7 Graz Total 12.50 Euro Größe 漢字")),
    ("Who  sends it?", page_of("Sender:")),
    ("What runs hot?", page_of("Bearing seven runs hot again ; the tundish stands between ladle and moulds . " * 6)),
)
"""The last is longer than any model here reads."""
FAMILIES = {"bert": (1, False), "roberta": (3, True)}
"""With how many answers are asked for, and whether there may be none."""


def answers_of(source: Path, question: str, page: Page, top_k: int, *, no_answer: bool) -> Answers:
    """What a user of transformers gets, who takes the words of the page and scales their boxes."""
    tokenizer = hf.AutoTokenizer.from_pretrained(source, model_max_length=POSITIONS)
    pipeline = hf.pipeline(TASK, model=str(source), tokenizer=tokenizer)
    boxes = []
    for word in page["words"]:
        left, top, right, bottom = word["box"]
        box = [1000 * (left / WIDTH), 1000 * (top / HEIGHT), 1000 * (right / WIDTH), 1000 * (bottom / HEIGHT)]
        boxes.append((word["text"], list(map(int, box))))
    found = pipeline(
        image=None, question=question, word_boxes=boxes, top_k=top_k, handle_impossible_answer=no_answer
    )  # fmt: skip
    return tuple(
        PageAnswer(each["answer"], each["score"], each["start"], each["end"] + 1 if each["answer"] else 0)
        for each in found
    )


def assert_answers(expected: Answers, actual: Answers) -> None:
    assert [(each.text, each.start, each.end) for each in expected] == [
        (each.text, each.start, each.end) for each in actual
    ]
    scores = [each.score for each in actual]
    np.testing.assert_allclose(scores, [each.score for each in expected], atol=1e-3, rtol=0)


def write_questions(directory: Path) -> Path:
    rows = []
    for number, (question, page) in enumerate(QUESTIONS):
        (directory / f"{number}.json").write_text(json.dumps(page))
        rows.append(f"{number}.json\t{question}")
    table = directory / "questions.tsv"
    table.write_text("\n".join(["page\tquestion", *rows]))
    return table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    """`FAMILY` and, in the repository `models`, the model FAMILY, for each of `FAMILIES`; and `questions.tsv`."""

    def make(root: Path) -> None:
        table = write_questions(root)
        for family, (top_k, no_answer) in FAMILIES.items():
            export_huggingface(
                save_page_answer_finder(root / family, family, minilm_directory), task=TASK, name=family,
                repository=root / "models", precision="fp32", top_k=top_k, no_answer=no_answer,
                calibration=None if family == "bert" else table,
            )  # fmt: skip

    return made_once(tmp_path_factory, "page-answer-finders", make)


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_those_of_the_pipeline(family: str, folder: Path) -> None:
    top_k, no_answer = FAMILIES[family]
    with tundish.open(folder / "models", instances=1) as runtime:
        rule = engine_model(runtime, family).manifest.preprocess
        assert isinstance(rule, TextPreprocess)
        assert (rule.reads, rule.stride) == (("question", "page"), POSITIONS // 2)
        places = set()
        for question, page in QUESTIONS:
            result = runtime.predict(family, question=question, page=page).result
            assert isinstance(result, DocumentQuestionAnswering)
            assert_answers(answers_of(folder / family, question, page, top_k, no_answer=no_answer), result.answers)
            places |= {each.start for each in result.answers}
    assert len(places) > 1


async def test_answers_are_served_by_every_way(folder: Path, tmp_path: Path) -> None:
    top_k, no_answer = FAMILIES["roberta"]
    expected = [answers_of(folder / "roberta", *asked, top_k, no_answer=no_answer) for asked in QUESTIONS]
    with ServerProcess(folder / "models", "--instances", "1") as process:
        async with AsyncClient(process.url) as awaiting:
            for (question, page), answers in zip(QUESTIONS, expected, strict=True):
                result = (await awaiting.predict("roberta", question=question, page=page)).result
                assert isinstance(result, DocumentQuestionAnswering)
                assert_answers(answers, result.answers)
        question, page = QUESTIONS[0]
        path = tmp_path / "page.json"
        path.write_text(json.dumps(page))
        with Client(process.url) as client:
            for given in (path, str(path), path.read_bytes()):
                result = client.predict("roberta", question=question, page=given).result
                assert isinstance(result, DocumentQuestionAnswering)
                assert_answers(expected[0], result.answers)
            with pytest.raises(InvalidInputError, match="The page is not JSON of the form"):
                client.predict("roberta", question=question, page=b"[]")
            with pytest.raises(InvalidInputError, match=r"The page .*lost\.json cannot be read: No such file"):
                client.predict("roberta", question=question, page=tmp_path / "lost.json")
        flags = ("--question", question, "--page", path, "--url", process.url)
        assert expected[0][0].text in call_tundish("infer", "roberta", *flags).stdout
        ran = json.loads(call_tundish("infer", "roberta", *flags, "--json").stdout)
        assert_answers(expected[0], tuple(PageAnswer(**answer) for answer in ran["answers"]))
        stock = tritonclient.grpc.InferenceServerClient(process.url)
        columns = [question for question, _ in QUESTIONS], [json.dumps(page) for _, page in QUESTIONS]
        tensors = []
        for name, values in zip(("question", "page"), columns, strict=True):
            tensor = tritonclient.grpc.InferInput(name, [len(values), 1], "BYTES")
            tensor.set_data_from_numpy(np.array([[value.encode()] for value in values], np.object_))
            tensors.append(tensor)
        answer = stock.infer("roberta", tensors)
        stock.close()
    columns_out = [answer.as_numpy(name) for name in ("answer", "score", "start", "end")]
    for row, answers in enumerate(expected):
        found = zip(*(array[row].tolist() for array in columns_out), strict=True)
        real = (PageAnswer(text.decode(), *rest) for text, *rest in found if rest[1] >= 0)
        assert_answers(answers, tuple(real))


def answered(*texts: str, score: float = 0.5) -> DocumentQuestionAnswering:
    return DocumentQuestionAnswering(tuple(PageAnswer(text, score, 3, 4) for text in texts))


def test_the_gate_counts_best_answers_that_are_equal() -> None:
    wanted = [answered("Graz", "Wien"), answered("Bonn"), answered()]
    assert measure([answered("Graz"), answered("Steyr"), answered()], wanted).value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("actual", "fault"),
    [
        (answered("Graz", score=0.5004), ""),
        (answered("Wien", score=0.3), "'Wien' at 3 to 4 is no answer of the source"),
        (answered(), "it has 0 answers, not 1"),
    ],
)
def test_parity_says_where_answers_part(actual: DocumentQuestionAnswering, fault: str) -> None:
    assert compare_results(answered("Graz"), actual)[1] == fault


def refused(source: Path, tmp_path: Path) -> str:
    with pytest.raises(ExportError) as raised:
        export_huggingface(source, task=TASK, name="m", repository=tmp_path / "models")
    return str(raised.value)


def test_a_tokenizer_that_pads_at_the_left_is_refused(tmp_path: Path, minilm_directory: Path) -> None:
    source = save_page_answer_finder(tmp_path / "source", "bert", minilm_directory)
    path = source / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "padding_side": "left"}))
    assert "pads at the left, which transformers' pipeline refuses" in refused(source, tmp_path)


def test_a_network_of_few_places_is_refused(tmp_path: Path, minilm_directory: Path) -> None:
    source = save_page_answer_finder(tmp_path / "source", "bert", minilm_directory, max_2d_position_embeddings=512)
    assert "knows 512 places along a page, and must know 1001" in refused(source, tmp_path)


def test_a_network_that_reads_pixels_is_refused(tmp_path: Path, minilm_directory: Path) -> None:
    small: dict[str, Any] = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = hf.LayoutLMv3Config(vocab_size=50, intermediate_size=24, coordinate_size=4, shape_size=4, **small)
    source = tmp_path / "source"
    hf.LayoutLMv3ForQuestionAnswering(config).save_pretrained(source)
    hf.AutoTokenizer.from_pretrained(minilm_directory).save_pretrained(source)
    assert "The architecture 'layoutlmv3' reads the pixels of a page beside its words" in refused(source, tmp_path)
