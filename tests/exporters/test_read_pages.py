"""Questions about images of pages: what is read in them is asked about as by transformers' pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from PIL import Image
from support.commands import call_tundish
from support.documents import (
    png,
    stripes,
    underlined,
    write_darkness_detector,
    write_stripe_reader,
    write_underline_finder,
)
from support.model_families import POSITIONS
from support.once import made_once
from support.server_process import ServerProcess
from support.text_tasks import save_page_answer_finder

import tundish
from tundish.bundle import ComposedBundle, read_bundle
from tundish.client import Client
from tundish.errors import BundleError, InvalidInputError
from tundish.manifest import LinesPostprocess
from tundish.results import DocumentQuestionAnswering, DocumentReading, PageAnswer
from tundish.runtime import Runtime
from tundish.tasks.read_page_answering import ReadPageAnsweringTask
from tundish_exporters import export_documents, export_read_pages
from tundish_exporters.errors import DataError

hf: Any = transformers
SIZE = (900, 800)
STRIPE = 37
LINES = ("rgrbg", "bgrgb", "rgrgr", "gbrgb")
"""Green is a space to the recogniser, which takes the paper at both ends for blue."""
WORDS = ("br", "rb", "b", "b", "r", "b", "br", "r", "rb", "b", "br", "b")
QUESTIONS = ("What is the total?", "Who sends it?")
TOP_K = 3


def page(turned: tuple[int, ...] = ()) -> Image.Image:
    """The lines below each other on white, underlined, some of them upside down."""
    image = Image.new("RGB", SIZE, "white")
    for place, text in enumerate(LINES):
        line = underlined(text, STRIPE, 48)
        image.paste(line.rotate(180) if place in turned else line, (60 + 40 * place, 60 + 150 * place))
    return image


IMAGES = {"upright": page(), "mixed": page((0, 2)), "one": stripes("rgr", STRIPE, 48)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    """`models` with `invoices`, and `documents`, which reads what it reads; their files, and a table of questions."""

    def make(root: Path) -> None:
        framed = Image.new("RGB", SIZE, "white")
        framed.paste(IMAGES["one"], (100, 100))
        for name, image in (IMAGES | {"one": framed}).items():
            (root / f"{name}.png").write_bytes(png(image))
        rows = [f"{name}.png\t{question}" for name in IMAGES for question in QUESTIONS]
        (root / "questions.tsv").write_text("\n".join(["image\tquestion", *rows]))
        write_darkness_detector(root / "detector.onnx")
        write_stripe_reader(root / "reader.onnx")
        write_underline_finder(root / "direction.onnx")
        (root / "labels.txt").write_text("b\n \nr\n")
        save_page_answer_finder(root / "layoutlm", "bert", minilm_directory)
        asked: Any = {
            "direction": root / "direction.onnx", "labels": root / "labels.txt", "repository": root / "models",
            "precision": "fp32",
        }  # fmt: skip
        export_documents(root / "detector.onnx", root / "reader.onnx", name="documents", **asked)
        export_read_pages(
            root / "layoutlm", root / "detector.onnx", root / "reader.onnx", name="invoices", top_k=TOP_K,
            calibration=root / "questions.tsv", **asked,
        )  # fmt: skip

    return made_once(tmp_path_factory, "read-pages", make)


@pytest.fixture(scope="module")
def runtime(folder: Path) -> Iterator[Runtime]:
    with tundish.open(folder / "models", instances=1) as opened:
        yield opened


def words_of(reading: DocumentReading, turned: tuple[int, ...]) -> list[tuple[str, list[int]]]:
    """Words with their boxes in thousandths, of lines that lie along the image's edges."""
    words = []
    for place, line in enumerate(reading.lines):
        left, right = line.corners[0].x, line.corners[1].x
        if place in turned:
            left, right = right, left
        for word in re.finditer("[^ ]+", line.text):
            ends = sorted(left + (right - left) * number / len(line.text) for number in word.span())
            box = [ends[0], line.corners[0].y, ends[1], line.corners[3].y]
            words.append((word[0], [int(1000 * (edge / SIZE[axis % 2])) for axis, edge in enumerate(box)]))
    return words


def answered(folder: Path, question: str, words: list[tuple[str, list[int]]]) -> list[PageAnswer]:
    source = folder / "layoutlm"
    tokenizer = hf.AutoTokenizer.from_pretrained(source, model_max_length=POSITIONS)
    pipeline = hf.pipeline("document-question-answering", model=str(source), tokenizer=tokenizer, device="cpu")
    found = pipeline(image=None, question=question, word_boxes=words, top_k=TOP_K)
    return [PageAnswer(each["answer"], each["score"], each["start"], each["end"] + 1) for each in found]


def assert_answers(expected: list[PageAnswer], actual: object) -> None:
    assert isinstance(actual, DocumentQuestionAnswering)
    assert [(each.text, each.start, each.end) for each in actual.answers] == [
        (each.text, each.start, each.end) for each in expected
    ]
    np.testing.assert_allclose([each.score for each in actual.answers], [each.score for each in expected], atol=1e-3)


@pytest.mark.parametrize(("name", "turned"), [("upright", ()), ("mixed", (0, 2)), ("one", ())])
def test_answers_are_those_of_the_pipeline_about_what_is_read(
    name: str, turned: tuple[int, ...], folder: Path, runtime: Runtime
) -> None:
    image = folder / f"{name}.png"
    reading = runtime.predict("documents", image=image).result
    assert isinstance(reading, DocumentReading)
    words = words_of(reading, turned)
    if name != "one":
        assert tuple(word for word, _ in words) == WORDS
    for question in QUESTIONS:
        result = runtime.predict("invoices", image=image, question=question).result
        assert_answers(answered(folder, question, words), result)


def test_every_way_of_asking_answers_the_same(folder: Path, runtime: Runtime) -> None:
    image, question = folder / "mixed.png", QUESTIONS[0]
    expected = runtime.predict("invoices", image=image, question=question).result
    assert isinstance(expected, DocumentQuestionAnswering)
    texts = [each.text for each in expected.answers]
    with ServerProcess(folder / "models", "--instances", "1") as process:
        with Client(process.url) as client:
            assert_answers(list(expected.answers), client.predict("invoices", image=image, question=question).result)
            contents: Any = {"image": [[image.read_bytes()]], "question": [[question.encode()]]}
            tensors = client.infer("invoices", {name: np.array(rows, np.object_) for name, rows in contents.items()})
        asked = ("infer", "invoices", "--image", image, "--question", question, "--url", process.url)
        shown, listed = call_tundish(*asked), call_tundish(*asked, "--json")
    assert [text.decode() for text in chain(*tensors["answer"])] == texts
    assert shown.returncode == listed.returncode == 0, shown.stderr + listed.stderr
    assert all(text in shown.stdout for text in texts)
    assert [answer["text"] for answer in json.loads(listed.stdout)["answers"]] == texts


def test_an_image_without_words_and_an_empty_question_are_refused(folder: Path, runtime: Runtime) -> None:
    blank = png(Image.new("RGB", SIZE, "white"))
    with pytest.raises(InvalidInputError, match="No words were read in the image, so that there is nothing to ask"):
        runtime.predict("invoices", image=blank, question=QUESTIONS[0])
    with pytest.raises(InvalidInputError, match="The question is empty"):
        runtime.predict("invoices", image=folder / "upright.png", question=" ")


def test_a_composition_that_does_not_read_pages_is_refused(folder: Path) -> None:
    bundle = read_bundle(folder / "models" / "invoices" / "1")
    assert isinstance(bundle, ComposedBundle)
    components = {name: component.manifest for name, component in bundle.components.items()}
    with pytest.raises(BundleError, match="'invoices' must read pages to do document-question-answering"):
        ReadPageAnsweringTask(bundle.manifest.model_copy(update={"postprocess": LinesPostprocess()}), components)
    fewer = bundle.manifest.model_copy(update={"steps": bundle.manifest.steps[:-1]})
    with pytest.raises(BundleError, match="'answers' by document-question-answering of image and question and regions"):
        ReadPageAnsweringTask(fewer, components)


def test_data_of_images_without_words_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "blank.png").write_bytes(png(Image.new("RGB", SIZE, "white")))
    table = tmp_path / "questions.tsv"
    table.write_text(f"image\tquestion\nblank.png\t{QUESTIONS[0]}")
    with pytest.raises(DataError, match="Sample 0: No words were read in the image"):
        export_read_pages(
            folder / "layoutlm", folder / "detector.onnx", folder / "reader.onnx", labels=folder / "labels.txt",
            name="invoices", repository=tmp_path / "models", precision="fp32", calibration=table,
        )  # fmt: skip
    assert not [*(tmp_path / "models").glob("invoices/*")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--detector", "detector.onnx"), "takes two ONNX files beside .*layoutlm: --detector and --recognizer"),
        (("--recognizer", "reader.onnx"), "takes two ONNX files beside .*layoutlm: --detector and --recognizer"),
        (
            ("--detector", "detector.onnx", "--task", "fill-mask"),
            "--detector is for document-question-answering, not for fill-mask; leave .*detector.onnx out",
        ),
        (
            ("--direction", "direction.onnx", "--task", "fill-mask"),
            "--direction is for document-reading and document-question-answering by images, not for fill-mask",
        ),
        (
            ("--detector", "detector.onnx", "--recognizer", "reader.onnx", "--pairs"),
            "is exported for document-question-answering, to which --pairs do not belong",
        ),
        (
            ("--detector", "detector.onnx", "--recognizer", "reader.onnx"),
            "does not name its characters: pass --labels",
        ),
    ],
)
def test_what_does_not_belong_together_is_refused(
    arguments: tuple[str, ...], said: str, folder: Path, tmp_path: Path
) -> None:
    paths = [folder / each if (folder / each).exists() else each for each in arguments]
    task = () if "--task" in arguments else ("--task", "document-question-answering")
    where = ("--name", "invoices", "--repository", tmp_path / "models")
    refused = call_tundish("export", folder / "layoutlm", *paths, *task, *where)
    assert refused.returncode == 1
    assert re.search(said, refused.stderr.replace("\n", " ")), refused.stderr
    assert not (tmp_path / "models").exists()
