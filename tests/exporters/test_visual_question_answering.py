"""Answers about images are those of transformers' pipeline: alone, in a batch of other shapes, and served."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
import tritonclient.grpc
from PIL import Image
from support.awkward_images import awkward_images, blurred_noise
from support.commands import call_tundish
from support.measuring import measure
from support.once import made_once
from support.server_process import ServerProcess
from support.visual_answerers import (
    ANSWERS,
    COLOR_QUESTION,
    POSITIONS,
    SIZE_QUESTION,
    save_trained_visual_answerer,
    save_visual_answerer,
    write_questions,
)

import tundish
from tundish.bundle import Bundle, read_single_bundle
from tundish.client import AsyncClient, Client
from tundish.engines import load_file
from tundish.errors import InvalidInputError
from tundish.manifest import ImageTextPreprocess, ShortestEdgeResize
from tundish.pipeline import Answer, Pipeline, run_batch
from tundish.results import Label, VisualQuestionAnswering
from tundish.tasks.registry import load_task
from tundish_exporters import ExportError, export_huggingface
from tundish_exporters.equality import compare_results
from tundish_exporters.metrics import ACCURACY

hf: Any = transformers
TASK: Any = "visual-question-answering"
SAMPLES = 24
SHAPES = ((64, 64), (90, 64), (64, 100), (200, 61), (300, 64), (64, 300), (33, 48), (150, 140))
"""Widths and heights; the fifth and sixth leave one row and one column of patches."""
LONG_QUESTION = "Of all the squares that one may see in this picture of some noise, what colour is the largest one?"
QUESTIONS = (COLOR_QUESTION, SIZE_QUESTION, "Red?", "漢字", LONG_QUESTION, "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    """`source`, `questions` for it, and the model `squares` in `models`."""

    def make(root: Path) -> None:
        source = save_trained_visual_answerer(root / "source", minilm_directory)
        table = write_questions(root / "questions", SAMPLES)
        export_huggingface(
            source, task=TASK, name="squares", repository=root / "models", precision="fp32", calibration=table
        )

    return made_once(tmp_path_factory, "visual-answerer", make)


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return read_single_bundle(folder / "models" / "squares" / "1")


@pytest.fixture(scope="module")
def ask(folder: Path) -> Any:
    """What a user of transformers gets, by an image and a question."""
    tokenizer = hf.AutoTokenizer.from_pretrained(folder / "source", model_max_length=POSITIONS)
    pipeline = hf.pipeline(TASK, model=str(folder / "source"), tokenizer=tokenizer)

    def answer(image: bytes, question: str, top_k: int = 5) -> list[tuple[str, float]]:
        found = pipeline(Image.open(io.BytesIO(image)), question, top_k=top_k, truncation=True)
        return [(each["answer"], each["score"]) for each in found]

    return answer


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def items() -> list[tuple[bytes, str]]:
    images = [png(blurred_noise(*shape)) for shape in SHAPES]
    return [(image, QUESTIONS[number % len(QUESTIONS)]) for number, image in enumerate(images)]


def assert_answers(expected: list[tuple[str, float]], result: Any) -> VisualQuestionAnswering:
    assert isinstance(result, VisualQuestionAnswering)
    assert [answer.name for answer in result.answers] == [name for name, _ in expected]
    scores = [answer.score for answer in result.answers]
    np.testing.assert_allclose(scores, [score for _, score in expected], rtol=0, atol=1e-3)
    return result


def test_a_batch_of_many_shapes_is_answered_as_the_pipeline_answers_each(bundle: Bundle, ask: Any) -> None:
    (file,) = bundle.manifest.variants[0].files
    engine = load_file("onnx", bundle.path(file.path), precision="fp32", threads=1)
    task = load_task(bundle.manifest, bundle.directory)
    asked = items()
    outcomes = run_batch(Pipeline(task, engine), [(image, question.encode()) for image, question in asked])
    names, shapes = set(), set()
    for (image, question), outcome in zip(asked, outcomes, strict=True):
        assert isinstance(outcome, Answer), outcome
        result = assert_answers(ask(image, question), outcome.output)
        assert result.truncated == (question == LONG_QUESTION)
        names.add(result.answers[0].name)
        shapes.add(task.shape(task.prepare((image, question.encode()))))
    assert len(names) > 1, "answers must differ from item to item"
    assert 4 < len(shapes) < len(asked), "some share a batch, others cannot"


def test_files_as_people_send_them_are_read_as_the_pipeline_reads_them(
    folder: Path, ask: Any, photographs: list[Path]
) -> None:
    refused = []
    with tundish.open(folder / "models", instances=1) as runtime:
        for name, image in awkward_images(photographs[1]).items():
            try:
                expected = ask(image, COLOR_QUESTION)
            except ValueError:  # an image so thin that no patch is left of it
                with pytest.raises(InvalidInputError, match="too long and thin"):
                    runtime.predict("squares", image=image, question=COLOR_QUESTION)
                refused.append(name)
                continue
            assert_answers(expected, runtime.predict("squares", image=image, question=COLOR_QUESTION).result)
    assert refused == ["one pixel wide", "very wide", "very tall"]


def test_the_gate_counts_right_answers(folder: Path, ask: Any, tmp_path: Path) -> None:
    """An answer that the model does not know counts as wrong, also where it looks like the number of one."""
    table = folder / "questions" / "more.csv"
    asked = (folder / "questions" / "questions.csv").read_text()
    table.write_text(f"{asked}\n0.png,{COLOR_QUESTION},0\n1.png,{COLOR_QUESTION},purple")
    exported = export_huggingface(
        folder / "source", task=TASK, name="squares", repository=tmp_path / "models", evaluation=table, max_drop=0.1
    )
    rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
    right = [ask((table.parent / image).read_bytes(), question)[0][0] == label for image, question, label in rows]
    assert np.mean(right) > 0.7, "it must have learnt something"
    floating, quantised = exported.bundle.manifest.variants
    assert (floating.precision, quantised.precision) == ("fp32", "int8")
    for variant in (floating, quantised):
        assert variant.accuracy is not None
        assert (variant.accuracy.metric, variant.accuracy.samples) == ("accuracy", SAMPLES + 2)
        assert variant.accuracy.reference == pytest.approx(np.mean(right))
        assert variant.gate.passed


def test_the_manifest_says_how_both_are_read(bundle: Bundle) -> None:
    rule = bundle.manifest.preprocess
    assert isinstance(rule, ImageTextPreprocess)
    assert rule.reads == ("image", "question")
    assert rule.image.resize == ShortestEdgeResize(length=64, longest=106, multiple_of=16, rounding="half-up")
    assert (rule.text.maximum_tokens, rule.text.tokenizer) == (POSITIONS, "tokenizer.json")


async def test_answers_are_served_by_every_way(folder: Path, ask: Any, tmp_path: Path) -> None:
    asked = items()
    expected = [ask(*item) for item in asked]
    with ServerProcess(folder / "models", "--instances", "1") as process:
        async with AsyncClient(process.url) as awaiting:
            for (image, question), answers in zip(asked, expected, strict=True):
                assert_answers(answers, (await awaiting.predict("squares", image=image, question=question)).result)
        with Client(process.url) as client:
            image, question = asked[0]
            with pytest.raises(InvalidInputError, match="it takes image and question, and got no question"):
                client.predict("squares", image=image)
            with pytest.raises(InvalidInputError, match="The image is none of JPEG"):
                client.predict("squares", image=b"BOO", question=question)
        path = tmp_path / "square.png"
        path.write_bytes(image)
        flags = ("--image", path, "--question", question, "--url", process.url)
        assert expected[0][0][0] in call_tundish("infer", "squares", *flags).stdout
        ran = json.loads(call_tundish("infer", "squares", *flags, "--json").stdout)
        assert_answers(expected[0], VisualQuestionAnswering(tuple(Label(**each) for each in ran["answers"])))
        stock = tritonclient.grpc.InferenceServerClient(process.url)
        columns = [image for image, _ in asked], [question.encode() for _, question in asked]
        tensors = []
        for name, values in zip(("image", "question"), columns, strict=True):
            tensor = tritonclient.grpc.InferInput(name, [len(values), 1], "BYTES")
            tensor.set_data_from_numpy(np.array([[value] for value in values], np.object_))
            tensors.append(tensor)
        answer = stock.infer("squares", tensors)
        stock.close()
    for names, scores, answers in zip(answer.as_numpy("answer"), answer.as_numpy("score"), expected, strict=True):
        found = zip((name.decode() for name in names), scores.tolist(), strict=True)
        assert_answers(answers, VisualQuestionAnswering(tuple(Label(*each) for each in found)))


def chosen(name: str, score: float = 0.5) -> VisualQuestionAnswering:
    rest = [Label(other, score / 2) for other in ANSWERS if other != name]
    return VisualQuestionAnswering((Label(name, score), *rest))


def test_without_labels_the_gate_counts_best_answers_that_are_equal() -> None:
    """Whether any of them is above a half does not count."""
    wanted = [chosen("red", 0.1), chosen("yes", 0.6), chosen("no", 0.6)]
    found = [chosen("red", 0.3), chosen("yes", 0.2), chosen("blue", 0.6)]
    assert measure(found, wanted, function="sigmoid").value == pytest.approx(2 / 3)
    assert measure(found, wanted, ["red", "no", "blue"], ACCURACY, function="sigmoid").value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("actual", "fault"),
    [
        (chosen("red", 0.5004), ""),
        (chosen("red", 0.502), "'red' has the score 0.5020, not 0.5000"),
        (chosen("yes"), "'yes' has the score 0.5000, not 0.2500"),
    ],
)
def test_parity_says_where_answers_part(actual: VisualQuestionAnswering, fault: str) -> None:
    assert compare_results(chosen("red"), actual)[1] == fault


def test_patches_that_are_drawn_by_chance_are_refused(tmp_path: Path, minilm_directory: Path) -> None:
    source = save_visual_answerer(tmp_path / "source", minilm_directory, max_image_length=20)
    with pytest.raises(ExportError, match="sees 20 patches of an image, drawn by chance from up to 24, so that it"):
        export_huggingface(source, task=TASK, name="m", repository=tmp_path / "models")


def test_as_many_patches_as_there_can_be_are_no_chance(tmp_path: Path, minilm_directory: Path) -> None:
    source = save_visual_answerer(tmp_path / "source", minilm_directory, max_image_length=24)
    export_huggingface(source, task=TASK, name="m", repository=tmp_path / "models")


def test_a_network_that_writes_its_answers_is_refused(tmp_path: Path, minilm_directory: Path) -> None:
    small: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 1, "projection_dim": 16}
    vision = {**small, "image_size": 32, "patch_size": 16}
    text = {**small, "vocab_size": 64, "encoder_hidden_size": 16, "max_position_embeddings": 16}
    source = tmp_path / "source"
    hf.BlipForQuestionAnswering(hf.BlipConfig(vision_config=vision, text_config=text)).save_pretrained(source)
    hf.BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(source)
    hf.AutoTokenizer.from_pretrained(minilm_directory).save_pretrained(source)
    with pytest.raises(ExportError, match="'blip' does not choose among answers that it knows; ViLT does"):
        export_huggingface(source, task=TASK, name="m", repository=tmp_path / "models")


def test_a_directory_without_a_tokenizer_is_refused(tmp_path: Path, minilm_directory: Path) -> None:
    source = save_visual_answerer(tmp_path / "source", minilm_directory)
    for path in [*source.glob("tokenizer*"), source / "vocab.txt"]:
        path.unlink()
    with pytest.raises(ExportError, match="has no tokenizer; write it there with its save_pretrained"):
        export_huggingface(source, task=TASK, name="m", repository=tmp_path / "models")
