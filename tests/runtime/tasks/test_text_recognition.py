"""Lines of text: how they are cut out and resized, by plain arithmetic and OpenCV, and how scores become a text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from support.documents import png

from tundish.errors import BundleError, EngineError, InvalidInputError
from tundish.manifest import CtcPostprocess, ImagePreprocess, LineResize, ModelSpec, Resize, TensorSpec
from tundish.results import TextRecognition
from tundish.tasks.shared_image import ImageRegion, SharedImage
from tundish.tasks.text_recognition import TextRecognitionTask

LINE = LineResize(height=48, shortest=320, longest=3200)
CHARACTERS = ("a", "b", "ß", "漢", " ")

Array = NDArray[np.float32]


def recognizer(in_network: bool = True, resize: Resize = LINE, classes: int | str = 6) -> TextRecognitionTask:
    preprocess = ImagePreprocess(
        resize=resize,
        resampling="opencv",
        crop=None,
        rescale=1 / 255,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        color_order="BGR",
    )
    spec = ModelSpec(
        task="text-recognition",
        inputs=(TensorSpec(name="x", datatype="FP32", shape=("batch", 3, 48, "width")),),
        outputs=(TensorSpec(name="scores", datatype="FP32", shape=("batch", "steps", classes)),),
        preprocess=preprocess,
        postprocess=CtcPostprocess(characters=CHARACTERS, in_network=in_network),
    )
    return TextRecognitionTask(spec, Path("bundle"))


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def file_of(pixels: NDArray[np.uint8]) -> bytes:
    return png(Image.fromarray(pixels))


def read(task: TextRecognitionTask, scores: Array) -> list[TextRecognition | EngineError]:
    items = [task.prepare(file_of(noise(48, 48)))] * len(scores)
    return task.finish({"scores": scores}, items)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.booleans(), st.integers(0, 100))
def test_a_text_is_its_classes_without_repeats_and_blanks(classes: list[int], in_network: bool, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 1, (len(classes), 6))
    logits[np.arange(len(classes)), classes] = 6
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    (answer,) = read(recognizer(in_network), (shares if in_network else logits)[np.newaxis].astype(np.float32))
    runs = [list(run) for _, run in groupby(enumerate(classes), key=lambda each: each[1])]
    kept = [run[0] for run in runs if run[0][1]]
    assert isinstance(answer, TextRecognition)
    assert answer.text == "".join(CHARACTERS[number - 1] for _, number in kept)
    expected = np.mean([shares[step, number] for step, number in kept]) if kept else 0
    assert answer.score == pytest.approx(expected, abs=1e-5)


def test_a_blank_parts_what_stands_twice() -> None:
    steps = np.eye(6, dtype=np.float32)[[1, 1, 0, 1, 5, 2, 2]]
    assert read(recognizer(), steps[np.newaxis]) == [TextRecognition("aa b", 1.0)]


def test_only_the_line_without_numbers_fails() -> None:
    steps = np.repeat(np.eye(6, dtype=np.float32)[np.newaxis, [1, 2]], 2, axis=0)
    steps[0, 1, 3] = np.nan
    broken, whole = read(recognizer(), steps)
    assert isinstance(broken, EngineError)
    assert whole == TextRecognition("ab", 1.0)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    # Of RapidOCR: int(48 * 20 / 3) pixels of a line that is wider than 320, and none of its own behind it.
    [(48, 100, (100, 320)), (30, 199, (319, 320)), (30, 200, (320, 320)), (30, 201, (321, 321)), (9, 100, (533, 533))],
)
def test_a_line_keeps_its_proportions_and_has_zeros_behind(height: int, width: int, expected: tuple[int, int]) -> None:
    task, pixels = recognizer(), noise(height, width)
    prepared = task.prepare(file_of(pixels))
    batch = np.asarray(task.collate([prepared])["x"], np.float32)
    within, whole = expected
    assert batch.shape == (1, 3, 48, whole)
    assert task.length(prepared) == whole
    line = cv2.resize(pixels[..., ::-1], (within, 48), interpolation=cv2.INTER_LINEAR)
    normalized = (line.astype(np.float32).transpose(2, 0, 1) / 255 - 0.5) / 0.5
    np.testing.assert_allclose(batch[0, :, :, :within], normalized, atol=1e-6)
    assert (batch[..., within:] == 0).all()


def test_a_line_is_never_wider_than_its_bound() -> None:
    task = recognizer(resize=LineResize(height=48, shortest=64, longest=96))
    assert task.shape(task.prepare(file_of(noise(10, 900)))) == (48, 96)
    assert task.shape(task.prepare(file_of(noise(90, 3)))) == (48, 64)


def test_lines_of_one_width_share_a_batch() -> None:
    task = recognizer()
    items = [task.prepare(file_of(noise(30, width, width))) for width in (20, 90, 200)]
    assert {task.shape(item) for item in items} == {(48, 320)}
    (together,) = task.collate(items).values()
    for row, item in zip(together, items, strict=True):
        (alone,) = task.collate([item]).values()
        np.testing.assert_array_equal(row, alone[0])


def region(pixels: NDArray[np.uint8], corners: Sequence[tuple[float, float]]) -> ImageRegion:
    return ImageRegion(SharedImage(file_of(pixels)), np.array(corners, np.float32))


def test_a_straight_region_is_those_pixels() -> None:
    pixels = noise(80, 200)
    cut = recognizer().prepare(region(pixels, [(20, 10), (180, 10), (180, 40), (20, 40)]))
    alone = recognizer().prepare(file_of(pixels[10:40, 20:180]))
    assert cut.size == alone.size == (30, 160)
    np.testing.assert_array_equal(cut.pixels, alone.pixels)


def test_a_high_region_is_turned_to_be_read_from_below() -> None:
    pixels = noise(200, 80)
    cut = recognizer().prepare(region(pixels, [(10, 20), (40, 20), (40, 180), (10, 180)]))
    alone = recognizer().prepare(file_of(np.rot90(pixels[20:180, 10:40])))
    np.testing.assert_array_equal(cut.pixels, alone.pixels)


def test_a_turned_region_lies_straight() -> None:
    """Pillow cuts the same quadrilateral out of a smooth image."""
    small = Image.fromarray(noise(12, 20))
    smooth = small.resize((200, 120), Image.Resampling.BICUBIC)
    corners = [(30, 50), (150, 20), (158, 52), (38, 82)]
    width, height = 123, 32  # int of sqrt(120² + 30²) = 123.7 and sqrt(8² + 32²) = 32.98
    flat = [each for place in (0, 3, 2, 1) for each in corners[place]]
    expected = smooth.transform((width, height), Image.Transform.QUAD, flat, Image.Resampling.BICUBIC)
    task = recognizer(resize=LineResize(height=height, shortest=width, longest=width))
    cut = task.prepare(region(np.asarray(smooth), corners))
    assert cut.size == (height, width)
    difference = np.abs(cut.pixels.astype(int) - np.asarray(expected).astype(int))
    # Pillow samples between pixels where OpenCV samples at their corners: half a pixel apart.
    assert difference.mean() < 4
    assert np.abs(cut.pixels[:, ::-1].astype(int) - np.asarray(expected).astype(int)).mean() > 20


def test_beyond_the_edge_the_last_pixels_go_on() -> None:
    pixels = noise(40, 100)
    cut = recognizer(resize=LineResize(height=20, shortest=60, longest=60)).prepare(
        region(pixels, [(70, 10), (130, 10), (130, 30), (70, 30)])
    )
    np.testing.assert_array_equal(cut.pixels[:, 30:], np.repeat(pixels[10:30, 99:100], 30, axis=1))


@pytest.mark.parametrize("corner", [np.nan, 1e6, -np.inf])
def test_a_region_that_is_none_is_refused(corner: float) -> None:
    with pytest.raises(InvalidInputError, match="does not lie in the image"):
        recognizer().prepare(region(noise(40, 100), [(0, 0), (corner, 0), (50, 20), (0, 20)]))


def test_the_network_must_know_the_characters() -> None:
    assert recognizer(classes="classes") is not None
    with pytest.raises(BundleError, match=r"\[batch, steps, 6\].*\['batch', 'steps', 7\]"):
        recognizer(classes=7)


def test_texts_go_over_the_wire() -> None:
    result = TextRecognition("Größe 漢", 0.75)
    assert TextRecognitionTask.from_message(TextRecognitionTask.to_message(result)) == result
    tensors = TextRecognitionTask.to_tensors([result, TextRecognition("", 0.0)])
    assert [text.decode() for text in tensors["text"]] == ["Größe 漢", ""]
    assert tensors["score"].tolist() == [0.75, 0.0]


def test_an_image_that_is_broken_is_refused_for_each_region() -> None:
    stream = io.BytesIO(b"no image")
    shared = SharedImage(stream.getvalue())
    for _ in range(2):
        with pytest.raises(InvalidInputError, match="none of JPEG"):
            recognizer().prepare(ImageRegion(shared, np.zeros((4, 2), np.float32)))
