"""ONNX files of text detectors and recognisers: real ones, by what is written in the images, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support.documents import (
    DETECTOR,
    DIRECTION,
    PP_OCR,
    RECOGNIZER,
    blocks,
    page,
    png,
    stripes,
    write_darkness_detector,
    write_stripe_reader,
)

from tundish.engines.onnx import OnnxEngine
from tundish.errors import TundishError
from tundish.manifest import (
    CtcPostprocess,
    EdgeRangeResize,
    LineResize,
    ModelSpec,
    StretchResize,
    TextRegionPostprocess,
)
from tundish.pipeline import Answer, Pipeline, run_batch
from tundish.results import Result, TextDetection, TextRecognition
from tundish.tasks import Task
from tundish.tasks.registry import load_task
from tundish.tasks.shared_image import ImageRegion, SharedImage
from tundish_exporters import DetectorHints, ExportError, OnnxHints
from tundish_exporters.demo.assets import fetch
from tundish_exporters.equality import compare_results
from tundish_exporters.sources import Source
from tundish_exporters.sources.onnx_file import load_onnx
from tundish_exporters.sources.onnx_file.document_reader import DocumentReader

LINES = (
    ("Bearing 7 runs hot again", (30, 30), 28),
    ("Order 4711-0815", (30, 100), 36),
    ("before the night shift", (390, 108), 20),
    ("12.5 mm, material 1.4301", (60, 180), 24),
)
"""In reading order; the third stands beside the second."""


def spaceless(text: str) -> str:
    """Spaces that a network sees or not are no fault of the pipeline's."""
    return text.replace(" ", "")


def loaded(source: Source, path: Path) -> tuple[Task[Any, Any], Pipeline]:
    """The exported network with its task."""
    source.write_onnx(path)
    engine = OnnxEngine(path, threads=1)
    spec = ModelSpec(
        task=source.task,
        inputs=engine.inputs,
        outputs=engine.outputs,
        preprocess=source.preprocess,
        postprocess=source.postprocess,
    )
    task = load_task(spec, path.parent)
    return task, Pipeline(task, engine)


def answer(pipeline: Pipeline, *items: object) -> list[Any]:
    answers = run_batch(pipeline, items)
    assert all(isinstance(each, Answer) for each in answers), answers
    return [each.output for each in answers if isinstance(each, Answer)]


def assert_equal(expected: Result, actual: Result) -> None:
    distance, fault = compare_results(expected, actual)
    assert fault == ""
    assert distance < 1e-4


@pytest.fixture(scope="module")
def detector(asset_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Pipeline]:
    source = load_onnx(fetch(PP_OCR, asset_cache) / DETECTOR, "text-detection", OnnxHints())
    return source, loaded(source, tmp_path_factory.mktemp("detector") / "network.onnx")[1]


@pytest.fixture(scope="module")
def recognizer(asset_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Pipeline]:
    source = load_onnx(fetch(PP_OCR, asset_cache) / RECOGNIZER, "text-recognition", OnnxHints())
    return source, loaded(source, tmp_path_factory.mktemp("recognizer") / "network.onnx")[1]


@pytest.mark.parametrize("turn", [0, 15])
def test_pp_ocr_reads_what_is_written(
    detector: tuple[Source, Pipeline], recognizer: tuple[Source, Pipeline], turn: float
) -> None:
    data = png(page(LINES, turn=turn))
    image = SharedImage(data)
    (found,) = answer(detector[1], image)
    assert isinstance(found, TextDetection)
    assert_equal(detector[0].predict(data), found)
    regions = [ImageRegion(image, np.array(region.corners, np.float32)) for region in found.regions]
    texts = [each.text for each in answer(recognizer[1], *regions)]
    written = [spaceless(text) for text, _, _ in LINES]
    if turn == 0:
        assert [spaceless(text) for text in texts] == written
    else:  # then a row's right end is above the row before
        assert sorted(map(spaceless, texts)) == sorted(written)


def test_pp_ocr_reads_lines_of_a_batch_as_one_by_one(recognizer: tuple[Source, Pipeline]) -> None:
    source, pipeline = recognizer
    images = [
        png(page([(text, (6, 4), 24)], (width, 34)))
        for text, width in (
            ("Yes.", 70),
            ("No. 17", 100),
            ("The tundish stands between the ladle and the moulds.", 640),
        )
    ]
    together = answer(pipeline, *images)
    assert [spaceless(each.text) for each in together] == [
        "Yes.",
        "No.17",
        "Thetundishstandsbetweentheladleandthemoulds.",
    ]
    for image, read in zip(images, together, strict=True):
        (alone,) = answer(pipeline, image)
        assert alone.text == read.text
        assert alone.score == pytest.approx(read.score, abs=1e-4)
        assert_equal(source.predict(image), read)


def test_pp_ocr_sees_which_lines_stand_upside_down(asset_cache: Path, tmp_path: Path) -> None:
    """A classifier of images, asked about regions: of a page, and of the page upside down."""
    hints = OnnxHints(labels=["0", "180"], size=(48, 192), resize="line", mean=0.5, std=0.5, color="bgr")
    source = load_onnx(fetch(PP_OCR, asset_cache) / DIRECTION, "image-classification", hints)
    _, pipeline = loaded(source, tmp_path / "network.onnx")
    upright = page(LINES)
    for turn in (0, 180):
        image = SharedImage(png(upright.rotate(turn)))
        corners = np.array([(24, 24), (430, 24), (430, 66), (24, 66)], np.float32)
        if turn:
            corners = np.array(upright.size, np.float32) - corners[[2, 3, 0, 1]]
        label, _ = answer(pipeline, ImageRegion(image, corners))[0].labels
        assert label.name == str(turn)
        assert label.score > 0.9
        # Turned corners turn the region.
        label, _ = answer(pipeline, ImageRegion(image, corners[[2, 3, 0, 1]]))[0].labels
        assert label.name == str(180 - turn)
    line = png(upright.crop((24, 24, 430, 66)))
    assert_equal(source.predict(line), answer(pipeline, line)[0])


def test_pp_ocr_reads_lines_that_stand_upside_down(asset_cache: Path, recognizer: tuple[Source, Pipeline]) -> None:
    image = page(LINES)
    place = (24, 90, 350, 150)
    image.paste(image.crop(place).rotate(180), place)
    files = fetch(PP_OCR, asset_cache)

    def texts(direction: Path | None, data: bytes) -> list[str]:
        reader = DocumentReader(files / DETECTOR, files / RECOGNIZER, OnnxHints(), direction=direction)
        return sorted(spaceless(line.text) for line in reader.predict(data).lines)

    written = [spaceless(text) for text, _, _ in LINES]
    assert texts(files / DIRECTION, png(image)) == sorted(written)
    assert written[1] not in texts(None, png(image))
    assert texts(files / DIRECTION, png(page(LINES).rotate(180))) == sorted(written)
    # The runtime cuts and turns a region itself.
    region = ImageRegion(
        SharedImage(png(page(LINES).rotate(180))),
        np.array(
            [(640 - 430, 400 - 66), (640 - 24, 400 - 66), (640 - 24, 400 - 24), (640 - 430, 400 - 24)], np.float32
        ),
    )
    as_it_stands, turned = answer(recognizer[1], region, replace(region, upside_down=True))
    assert spaceless(turned.text) == written[0]
    assert spaceless(as_it_stands.text) != written[0]


def test_what_pp_ocrs_files_say(detector: tuple[Source, Pipeline], recognizer: tuple[Source, Pipeline]) -> None:
    rule = recognizer[0].postprocess
    assert isinstance(rule, CtcPostprocess)
    assert rule.in_network
    assert len(rule.characters) == 6624
    assert rule.characters[-1] == " "
    assert (detector[0].preprocess.resize, recognizer[0].preprocess.resize) == (  # type: ignore[union-attr]
        EdgeRangeResize(shortest=736, longest=2000, enlarged=5888, multiple_of=32),
        LineResize(height=48, shortest=320, longest=3200),
    )
    for source, _ in (detector, recognizer):
        assert "as RapidOCR reads them" in source.warnings[0]


@pytest.mark.parametrize("logits", [False, True])
def test_stripes_are_read(tmp_path: Path, logits: bool) -> None:
    path = write_stripe_reader(tmp_path / "reader.onnx", logits=logits)
    source = load_onnx(path, "text-recognition", OnnxHints(labels=["b", "g", "r"]))
    _, pipeline = loaded(source, tmp_path / "network.onnx")
    for text, expected in (("rrgb_b", "rgbb"), ("_", ""), ("gr" * 15, "gr" * 15)):
        data = png(stripes(text))
        (read,) = answer(pipeline, data)
        assert isinstance(read, TextRecognition)
        assert read.text == expected
        assert_equal(source.predict(data), read)
    graph = onnx.load(tmp_path / "network.onnx").graph
    assert [node.op_type for node in graph.node if node.op_type == "Constant"] == []  # so that int8 finds the weights


def test_a_network_of_one_size_is_given_that(tmp_path: Path) -> None:
    reader = write_stripe_reader(tmp_path / "reader.onnx", width=240)
    source = load_onnx(reader, "text-recognition", OnnxHints(labels=["b", "g", "r"]))
    assert source.preprocess.resize == LineResize(height=48, shortest=240, longest=240)  # type: ignore[union-attr]
    task, pipeline = loaded(source, tmp_path / "network.onnx")
    data = png(stripes("rgb" * 10))
    assert task.shape(task.prepare(data)) == (48, 240)
    assert answer(pipeline, data)[0].text == "rgb" * 10
    detector = write_darkness_detector(tmp_path / "detector.onnx", size=(64, 96))
    source = load_onnx(detector, "text-detection", OnnxHints(detector=DetectorHints(threshold=0.7)))
    assert source.preprocess.resize == StretchResize(height=64, width=96)  # type: ignore[union-attr]
    assert source.postprocess == TextRegionPostprocess(box_threshold=0.7)
    (found,) = answer(loaded(source, tmp_path / "network.onnx")[1], png(blocks([(20, 20, 160, 44)], (192, 128))))
    assert len(found.regions) == 1


def test_normalisation_is_what_the_user_says(tmp_path: Path) -> None:
    path = write_darkness_detector(tmp_path / "detector.onnx")
    hints = OnnxHints(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), color="rgb")
    source = load_onnx(path, "text-detection", hints)
    rule = source.preprocess
    assert (rule.mean, rule.std, rule.color_order) == (hints.mean, hints.std, "RGB")  # type: ignore[union-attr]
    assert source.warnings == ()


def test_characters_come_from_a_file_or_the_metadata(tmp_path: Path) -> None:
    """Also spaces and what Unicode calls the end of a line."""
    file = tmp_path / "keys.txt"
    file.write_bytes("\u3000\r\n\u2028\r\nr\r\n".encode())
    path = write_stripe_reader(tmp_path / "reader.onnx")
    rule = load_onnx(path, "text-recognition", OnnxHints(labels=file)).postprocess
    assert rule == CtcPostprocess(characters=("\u3000", "\u2028", "r"))
    path = write_stripe_reader(tmp_path / "described.onnx", metadata={"character": "b\ng"})
    rule = load_onnx(path, "text-recognition", OnnxHints()).postprocess
    assert rule == CtcPostprocess(characters=("b", "g", " "))


@pytest.mark.parametrize(
    ("task", "hints", "message"),
    [
        ("text-detection", OnnxHints(labels=["text"]), "text-detection has no --labels"),
        ("text-detection", OnnxHints(resize="stretch"), "has no --resize"),
        ("text-detection", OnnxHints(activation="sigmoid"), "has no --activation"),
        ("text-detection", OnnxHints(detector=DetectorHints(iou=0.3)), "has no --iou"),
        ("text-recognition", OnnxHints(detector=DetectorHints(threshold=0.3)), "text-recognition has no --threshold"),
        ("text-recognition", OnnxHints(), "does not name its characters: pass --labels"),
        ("text-recognition", OnnxHints(labels=Path("missing.txt")), "missing.txt cannot be read: No such file"),
        ("text-recognition", OnnxHints(labels=["a"]), r"gives 'scores' \[1, 40, 4\] for 1 characters"),
        ("text-recognition", OnnxHints(labels=list("abcd")), r"gives 'scores' \[1, 40, 4\] for 4 characters"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, task: Any, hints: OnnxHints, message: str) -> None:
    detector = write_darkness_detector(tmp_path / "detector.onnx")
    path = detector if task == "text-detection" else write_stripe_reader(tmp_path / "reader.onnx")
    with pytest.raises(ExportError, match=message):
        load_onnx(path, task, hints)


def test_who_has_no_opencv_exports_all_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = "import sys; sys.modules['cv2'] = None; import tundish, tundish_exporters.sources.onnx_file"
    ran = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(TundishError, match=r"pip install 'tundish\[documents\]'"):
        load_onnx(write_stripe_reader(tmp_path / "reader.onnx"), "text-recognition", OnnxHints())


def test_a_detector_without_probabilities_is_refused(tmp_path: Path) -> None:
    path = write_darkness_detector(tmp_path / "detector.onnx", logits=True)
    with pytest.raises(ExportError, match=r"'logits' \[1, 1, 96, 160\].*export the network with its sigmoid"):
        load_onnx(path, "text-detection", OnnxHints())
