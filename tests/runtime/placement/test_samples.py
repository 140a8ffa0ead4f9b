"""What models are measured on: made inputs that they accept, and the user's own."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.bundles import SIZE, make_bundle
from support.images import encoded
from support.text_specs import text_spec
from support.wordpiece import hugging_face_tokenizer
from tokenizers import Tokenizer

from tundish.bundle import Bundle, describe_file, publish_bundle, staged_bundle
from tundish.errors import InvalidInputError
from tundish.manifest import (
    ClassificationPostprocess,
    EdgeRangeResize,
    ImagePreprocess,
    ImageTextPreprocess,
    LineResize,
    Manifest,
    MaskPostprocess,
    Resize,
    ShortestEdgeResize,
    StretchResize,
    TensorSpec,
    TextInput,
    TextPreprocess,
)
from tundish.placement.measuring import shares_of_work
from tundish.placement.samples import MADE, MAX_READ, _images, _split, made_inputs, read_inputs
from tundish.tasks import parts_of
from tundish.tasks.fill_mask import MASK_POSITIONS
from tundish.tasks.image_geometry import window
from tundish.tasks.pages import read_page
from tundish.tasks.registry import load_task

WORDS = [f"{first}{second}x" for first in "abcdefghij" for second in "abcdefghij"]


def text_bundle(root: Path, maximum_tokens: int = 512) -> Bundle:
    """Reads texts; its network reads none, since nothing here runs it."""
    template = make_bundle(root / "images").manifest
    with staged_bundle(root, "texts") as staging:
        hugging_face_tokenizer(extra=WORDS).save(str(staging / "tokenizer.json"))
        (staging / "model.onnx").write_bytes((root / "images" / "colors" / "1" / "model.onnx").read_bytes())
        spec = text_spec(TextPreprocess(maximum_tokens=maximum_tokens))
        rest = {name: getattr(template, name) for name in ("source", "variants", "serving")}
        assets = (describe_file(staging, "tokenizer.json"),)
        return publish_bundle(staging, Manifest(**dict(spec), **rest, model="texts", version=1, assets=assets))


def made_parts(bundle: Bundle) -> list[bytes]:
    return [part for item in made_inputs(bundle) for part in parts_of(item)]


def test_made_texts_are_8_to_256_tokens_by_the_library(tmp_path: Path) -> None:
    bundle = text_bundle(tmp_path)
    items = made_parts(bundle)
    assert items == made_parts(bundle), "the same each time"
    library = Tokenizer.from_file(str(bundle.path("tokenizer.json")))
    lengths = [len(library.encode(item.decode()).ids) for item in items]
    assert len(lengths) == MADE
    assert (min(lengths), max(lengths)) == (8, 256)
    assert len(set(lengths)) > MADE // 2
    assert all(library.token_to_id("[UNK]") not in library.encode(item.decode()).ids for item in items)


@pytest.mark.parametrize(
    ("reads", "few"), [(("question", "context"), 8), (("query", "text"), 8), (("text", "text_pair"), None)]
)
def test_made_items_have_all_parts(reads: tuple[TextInput, ...], few: int | None) -> None:
    for count in (1, 2, 40):
        item = _split(np.array(["word"] * count, object), reads)
        first, second = (part.decode().split() for part in parts_of(item))
        assert len(first) == min(few or count, max(1, count // 2))
        assert len(second) == max(1, count - count // 2 if few is None else count - len(first))


def test_made_pages_hold_the_words_that_the_question_leaves() -> None:
    drawn = np.array([f"word{number}" for number in range(40)], object)
    question, page = parts_of(_split(drawn, ("question", "page")))
    assert (*question.decode().split(), *read_page(page).words) == tuple(drawn)
    assert read_page(parts_of(_split(drawn[:1], ("question", "page")))[1]).words == ("word0",)


def test_made_texts_have_a_mask_where_the_model_fills_some(tmp_path: Path) -> None:
    bundle = text_bundle(tmp_path)
    mask_id = Tokenizer.from_file(str(bundle.path("tokenizer.json"))).token_to_id("[MASK]")
    changes = {
        "task": "fill-mask",
        "inputs": (
            *bundle.manifest.inputs,
            TensorSpec(name=MASK_POSITIONS, datatype="INT64", shape=("batch", "masks")),
        ),
        "postprocess": MaskPostprocess(mask_token="[MASK]", mask_id=mask_id, tidy_spaces=False),
    }
    masked = dataclasses.replace(bundle, manifest=bundle.manifest.model_copy(update=changes))
    assert all(item.startswith(b"[MASK]") for item in made_parts(masked))


def test_made_texts_are_no_longer_than_the_model_reads(tmp_path: Path) -> None:
    bundle = text_bundle(tmp_path, maximum_tokens=32)
    library = Tokenizer.from_file(str(bundle.path("tokenizer.json")))
    assert max(len(library.encode(item.decode()).ids) for item in made_parts(bundle)) == 32


def test_a_text_counts_by_its_tokens_and_an_image_as_one(tmp_path: Path) -> None:
    bundle = text_bundle(tmp_path)
    task = load_task(bundle.manifest, bundle.directory)
    items = [b"aax", b"aax abx acx adx aex", b"aax abx acx"]
    tokens = [task.length(task.prepare(item)) for item in items]
    assert tokens == [3, 7, 5], "with the two that mark its ends"
    assert shares_of_work(task, items) == pytest.approx([0.6, 1.4, 1.0])
    images = make_bundle(tmp_path / "more")
    assert shares_of_work(load_task(images.manifest, images.directory), [encoded("red")] * 2) == [1.0, 1.0]


def test_made_images_are_jpegs_of_twice_the_models_size_and_cost_what_photographs_do(tmp_path: Path) -> None:
    template = make_bundle(tmp_path)
    rule = template.manifest.preprocess
    assert isinstance(rule, ImagePreprocess)
    larger = rule.model_copy(update={"resize": StretchResize(height=200, width=256)})
    items = made_parts(Bundle(template.directory, template.manifest.model_copy(update={"preprocess": larger})))
    assert len(set(items)) == MADE
    for item in items:
        with Image.open(io.BytesIO(item)) as image:
            assert (image.format, image.size) == ("JPEG", (512, 400))
            pixels = np.asarray(image.convert("L"))
        assert 20 < pixels.std() < 80
        # The demo's photographs take 0.6 to 4 bits a pixel, 2.2 on average.
        assert 1 < 8 * len(item) / pixels.size < 4


def test_a_tiny_model_gets_tiny_images(tmp_path: Path) -> None:
    with Image.open(io.BytesIO(made_parts(make_bundle(tmp_path))[0])) as image:
        assert image.size == (2 * SIZE, 2 * SIZE)


def test_own_images_and_texts_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("b.png", "a.png"):
        (folder / name).write_bytes(encoded("red" if name == "a.png" else "blue"))
    assert read_inputs(make_bundle(tmp_path / "models"), folder) == [encoded("red"), encoded("blue")]

    lines = tmp_path / "lines.txt"
    lines.write_text("the cat\n\naax\n" * MAX_READ)
    items = read_inputs(text_bundle(tmp_path / "texts"), lines)
    assert items[:3] == [b"the cat", b"aax", b"the cat"]
    assert len(items) == MAX_READ


def asked_images_bundle(root: Path) -> Bundle:
    """Reads images with questions."""
    bundle = text_bundle(root)
    images = ImagePreprocess(
        resize=ShortestEdgeResize(length=24, longest=40, multiple_of=8, rounding="half-up"),
        crop=None, rescale=1, mean=(0, 0, 0), std=(1, 1, 1),
    )  # fmt: skip
    changes = {
        "task": "visual-question-answering",
        "inputs": (
            TensorSpec(name="pixel_values", datatype="FP32", shape=("batch", 3, "height", "width")),
            *bundle.manifest.inputs,
        ),
        "preprocess": ImageTextPreprocess(image=images, text=TextPreprocess(reads=("question",), maximum_tokens=16)),
        "postprocess": ClassificationPostprocess(labels=("yes", "no"), function="sigmoid"),
    }
    return dataclasses.replace(bundle, manifest=bundle.manifest.model_copy(update=changes))


def test_images_with_questions_are_made(tmp_path: Path) -> None:
    items = made_inputs(asked_images_bundle(tmp_path))
    assert len(items) == MADE
    photograph, question = parts_of(items[0])
    with Image.open(io.BytesIO(photograph)) as image:
        assert (image.format, image.size) == ("JPEG", (64, 48))
    assert question.decode().split()[0] in WORDS


def test_own_images_with_questions_stand_in_lines(tmp_path: Path) -> None:
    bundle = asked_images_bundle(tmp_path / "models")
    (tmp_path / "red.png").write_bytes(encoded("red"))
    lines = tmp_path / "asked.tsv"
    lines.write_text("red.png\tthe cat\n")
    assert read_inputs(bundle, lines) == [(encoded("red"), b"the cat")]
    lines.write_text("blue.png\tthe cat\n")
    with pytest.raises(InvalidInputError, match=r"^\S+/blue\.png cannot be read: No such file or directory\.$"):
        read_inputs(bundle, lines)
    lines.write_text("red.png the cat\n")
    with pytest.raises(InvalidInputError, match=r"'red\.png the cat' must be image and question with a tab between"):
        read_inputs(bundle, lines)


def test_own_inputs_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "models")
    with pytest.raises(InvalidInputError, match=r"nothing must be a directory of images: No such file or directory\.$"):
        read_inputs(bundle, tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInputError, match="empty holds nothing to measure on; give some images"):
        read_inputs(bundle, tmp_path / "empty")
    (tmp_path / "empty" / "notes.txt").write_text("no image")
    with pytest.raises(InvalidInputError, match=r"notes\.txt cannot be measured on: "):
        read_inputs(bundle, tmp_path / "empty")
    (tmp_path / "bytes").write_bytes(b"\xff\xff")
    with pytest.raises(
        InvalidInputError, match=r"bytes must be a UTF-8 file with a text a line: its byte 0 is not UTF-8\.$"
    ):
        read_inputs(text_bundle(tmp_path / "texts"), tmp_path / "bytes")


@pytest.mark.parametrize(
    ("resize", "seen"),
    [
        (EdgeRangeResize(shortest=96, longest=320, enlarged=640, multiple_of=32), (96, 128)),
        (LineResize(height=48, shortest=320, longest=3200), (48, 320)),
    ],
)
def test_made_pages_and_lines_are_of_the_sizes_that_networks_see(resize: Resize, seen: tuple[int, int]) -> None:
    rule = ImagePreprocess(resize=resize, crop=None, rescale=1 / 255, mean=(0, 0, 0), std=(1, 1, 1))
    images = _images(rule)
    assert len(images) == MADE
    with Image.open(io.BytesIO(images[0])) as image:
        place = window(rule, image.height, image.width)
    assert (place.resized_height, place.resized_width) == seen
