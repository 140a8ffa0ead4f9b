"""Documents are read by two networks in one bundle: what the detector finds, the recogniser reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
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
from support.once import made_once
from support.server_process import ServerProcess

import tundish
from tundish.bundle import ComposedBundle, read_bundle
from tundish.client import Client
from tundish.errors import BundleError, InvalidInputError
from tundish.manifest import ClassificationPostprocess, LinesPostprocess
from tundish.results import DocumentReading, TextDetection
from tundish.runtime import Runtime
from tundish.tasks.document_reading import DocumentReadingTask
from tundish_exporters import export_documents
from tundish_exporters.composed_data import load_composed_data
from tundish_exporters.equality import compare_results
from tundish_exporters.export_options import ExportOptions
from tundish_exporters.onnx_hints import OnnxHints
from tundish_exporters.sources.onnx_file.document_reader import DocumentReader

TEXTS = ("rgb", "grbg", "bbrr", "gbrgb")
UNDERLINED = ("rgb", "grbg", "rgr", "gbrgb")
STRIPE = 32
"""Of a letter, in pixels: several steps of the recogniser, which detected edges may shift."""


def page(texts: tuple[str, ...], size: tuple[int, int] = (900, 800)) -> Image.Image:
    """Lines of stripes below each other on white."""
    image = Image.new("RGB", size, "white")
    for place, text in enumerate(texts):
        image.paste(stripes(text, STRIPE, 48), (60 + 40 * place, 60 + 150 * place))
    return image


def turned_page() -> Image.Image:
    """Underlined lines, the first and the last of which stand upside down."""
    image = Image.new("RGB", (900, 800), "white")
    for place, text in enumerate(UNDERLINED):
        line = underlined(text, STRIPE, 48)
        image.paste(line.rotate(180) if place in (0, 3) else line, (60 + 40 * place, 60 + 150 * place))
    return image


PAGES = {"all": TEXTS, "some": TEXTS[1:3], "one": TEXTS[3:], "none": ()}


def as_read(text: str) -> str:
    """By a recogniser that takes the paper at both ends for blue, and knows no blank between letters."""
    whole = f"b{text}b"
    return "".join(letter for place, letter in enumerate(whole) if not place or letter != whole[place - 1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`models` with `documents` and `turning`, their files and labels, and `pages`."""

    def make(root: Path) -> None:
        (root / "pages").mkdir()
        for name, texts in PAGES.items():
            (root / "pages" / f"{name}.png").write_bytes(png(page(texts)))
        write_darkness_detector(root / "detector.onnx")
        write_stripe_reader(root / "reader.onnx")
        write_underline_finder(root / "direction.onnx")
        (root / "labels.txt").write_text("b\ng\nr\n")
        for name, direction in (("documents", None), ("turning", root / "direction.onnx")):
            export_documents(
                root / "detector.onnx",
                root / "reader.onnx",
                direction=direction,
                name=name,
                repository=root / "models",
                labels=root / "labels.txt",
                calibration=root / "pages",
                precision="fp32",
            )

    return made_once(tmp_path_factory, "document-reading", make)


@pytest.fixture(scope="module")
def runtime(folder: Path) -> Iterator[Runtime]:
    with tundish.open(folder / "models") as opened:  # placed as a server places it
        yield opened


def texts_of(result: object) -> list[str]:
    assert isinstance(result, DocumentReading)
    return [line.text for line in result.lines]


@pytest.mark.parametrize("name", PAGES)
def test_what_is_found_is_read_in_its_order(name: str, folder: Path, runtime: Runtime) -> None:
    result = runtime.predict("documents", image=folder / "pages" / f"{name}.png").result
    assert texts_of(result) == list(map(as_read, PAGES[name]))
    assert isinstance(result, DocumentReading)
    assert result.text == "\n".join(texts_of(result))
    for place, (line, text) in enumerate(zip(result.lines, PAGES[name], strict=True)):
        left, top = 60 + 40 * place, 60 + 150 * place
        expected = [
            (left, top),
            (left + STRIPE * len(text), top),
            (left + STRIPE * len(text), top + 48),
            (left, top + 48),
        ]
        assert np.abs(np.subtract(line.corners, expected)).max() < 40, "regions are grown a bit"


def test_it_equals_both_files_one_after_the_other(folder: Path, runtime: Runtime) -> None:
    source = DocumentReader(folder / "detector.onnx", folder / "reader.onnx", OnnxHints(), labels=folder / "labels.txt")
    tilted = page(TEXTS).rotate(7, expand=True, fillcolor="white")
    for image in (png(tilted), (folder / "pages" / "all.png").read_bytes()):
        assert compare_results(source.predict(image), runtime.predict("documents", image=image).result)[1] == ""


def test_lines_are_of_the_slice_and_the_group_of_their_page(folder: Path, tmp_path: Path) -> None:
    source = DocumentReader(folder / "detector.onnx", folder / "reader.onnx", OnnxHints(), labels=folder / "labels.txt")
    table = tmp_path / "pages.csv"
    rows = [f"{folder / 'pages' / name}.png,scan {name},{len(texts) > 1}\n" for name, texts in PAGES.items()]
    table.write_text("image,scan,long\n" + "".join(rows))
    options = ExportOptions(
        name="documents", repository=tmp_path, calibration=table, slice_column="long", group_column="scan"
    )
    data = load_composed_data(source, options)
    assert sorted(zip(data.groups or (), data.slices or (), strict=True)) == [
        ("scan all", "True"), ("scan none", "False"), ("scan one", "False"), ("scan some", "True"),
    ]  # fmt: skip
    pages, lines = (data.of_component(source, name).gate for name in ("detector", "recognizer"))
    assert pages is not None
    assert (pages.groups, pages.slices) == (data.groups, data.slices)
    assert lines is not None
    assert Counter(lines.groups) == {f"scan {name}": len(texts) for name, texts in PAGES.items() if texts}
    assert Counter(lines.slices) == {"True": 6, "False": 1}


def test_lines_that_stand_upside_down_are_turned_before_they_are_read(folder: Path, runtime: Runtime) -> None:
    image = png(turned_page())
    as_they_stand = runtime.predict("documents", image=image).result
    turned = runtime.predict("turning", image=image).result
    first, second, third, fourth = UNDERLINED
    assert texts_of(as_they_stand) == [as_read(text) for text in (first[::-1], second, third, fourth[::-1])]
    assert texts_of(turned) == list(map(as_read, UNDERLINED))
    assert isinstance(turned, DocumentReading)
    assert isinstance(as_they_stand, DocumentReading)
    assert [line.corners for line in turned.lines] == [line.corners for line in as_they_stand.lines]
    source = DocumentReader(
        folder / "detector.onnx",
        folder / "reader.onnx",
        OnnxHints(),
        labels=folder / "labels.txt",
        direction=folder / "direction.onnx",
    )
    assert compare_results(source.predict(image), turned)[1] == ""
    upside_down = runtime.predict("turning", image=png(turned_page().rotate(180))).result
    assert texts_of(upside_down) == list(map(as_read, reversed(UNDERLINED))), "lines stay in the order of the image"


def test_a_line_is_turned_only_for_certain(folder: Path, runtime: Runtime) -> None:
    """Lines without an underline have scores for both that are near a half."""
    image = folder / "pages" / "all.png"
    assert texts_of(runtime.predict("turning", image=image).result) == list(map(as_read, TEXTS))
    assert texts_of(runtime.predict("turning", image=png(page(TEXTS).rotate(180))).result) == [
        as_read(text[::-1]) for text in reversed(TEXTS)
    ]


def test_what_does_not_fit_the_steps_is_refused(folder: Path) -> None:
    bundle = read_bundle(folder / "models" / "turning" / "1")
    assert isinstance(bundle, ComposedBundle)
    components = {name: component.manifest for name, component in bundle.components.items()}
    never = bundle.manifest.model_copy(update={"postprocess": LinesPostprocess()})
    with pytest.raises(
        BundleError, match=r"must have the steps .*; 'texts' by text-recognition of image and regions to"
    ):
        DocumentReadingTask(never, components)
    rule = ClassificationPostprocess(labels=("upright", "turned"), function="softmax")
    components["direction"] = components["direction"].model_copy(update={"postprocess": rule})
    with pytest.raises(BundleError, match=r"'turning.direction' must have the label '180'"):
        DocumentReadingTask(bundle.manifest, components)


def test_lines_of_several_pages_share_batches(folder: Path, runtime: Runtime) -> None:
    model, recognizer = runtime.model("documents"), runtime.model("documents.recognizer")
    before = recognizer.statistics["pipeline"].snapshot().batch_count
    pages = [(folder / "pages" / f"{name}.png").read_bytes() for name in ("all", "some", "one", "all")]
    answers = [future.result(30).output for future in model.submit(pages)]
    assert [len(texts_of(answer)) for answer in answers] == [4, 2, 1, 4]
    ran = recognizer.statistics["pipeline"].snapshot().batch_count - before
    assert ran < 11, "eleven lines, and fewer batches"


def test_a_page_that_is_none_fails_alone(folder: Path, runtime: Runtime) -> None:
    good, bad = runtime.model("documents").submit([(folder / "pages" / "one.png").read_bytes(), b"%PDF-1.7"])
    assert len(texts_of(good.result(30).output)) == 1
    with pytest.raises(InvalidInputError, match="The image is none of JPEG"):
        bad.result(30)


def test_every_way_of_asking_reads_the_same(folder: Path) -> None:
    image = folder / "pages" / "all.png"
    expected = list(map(as_read, TEXTS))
    with ServerProcess(folder / "models", "--instances", "1") as process:
        with Client(process.url) as client:
            assert texts_of(client.predict("documents", image=image).result) == expected
            found = client.predict("documents.detector", image=image).result
            contents: Any = [[path.read_bytes()] for path in (image, folder / "pages" / "one.png")]
            tensors = client.infer("documents", {"image": np.array(contents, np.object_)})
        shown = call_tundish("infer", "documents", "--image", image, "--url", process.url)
        listed = call_tundish("infer", "documents", "--image", image, "--url", process.url, "--json")
    assert isinstance(found, TextDetection)
    assert len(found.regions) == len(TEXTS)
    one = as_read(TEXTS[3]).encode()
    assert tensors["text"].tolist() == [[text.encode() for text in expected], [one, b"", b"", b""]]
    assert tensors["corners"].shape == (2, 4, 4, 2)
    assert (tensors["score"][1, 1:] == 0).all()
    assert shown.returncode == listed.returncode == 0, shown.stderr + listed.stderr
    assert all(text in shown.stdout for text in expected)
    assert [line["text"] for line in json.loads(listed.stdout)["lines"]] == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("detector.onnx",),
            "takes two ONNX files: pass that of the text recogniser with --recognizer",
        ),
        (("pages", "--recognizer", "reader.onnx"), "document-reading takes two ONNX files: that of a text detector"),
        (
            ("reader.onnx", "--recognizer", "detector.onnx"),
            "Or are the detector and the recognizer the wrong way round?",
        ),
        (("detector.onnx", "--recognizer", "pages"), "pages"),
        (
            ("detector.onnx", "--recognizer", "reader.onnx", "--labels", "labels.txt", "--direction", "detector.onnx"),
            "A classifier of directions has a score for lines that stand upright and one for those",
        ),
        (
            ("direction.onnx", "--task", "image-classification", "--direction", "direction.onnx"),
            "--direction is for document-reading and document-question-answering by images, not for image-class",
        ),
    ],
)
def test_files_of_other_networks_are_refused(
    arguments: tuple[str, ...], said: str, folder: Path, tmp_path: Path
) -> None:
    paths = [folder / argument if (folder / argument).exists() else argument for argument in arguments]
    task = () if "--task" in arguments else ("--task", "document-reading")
    refused = call_tundish("export", *paths, *task, "--name", "documents", "--repository", tmp_path / "models")
    assert refused.returncode == 1
    assert said in refused.stderr
    assert not (tmp_path / "models").exists()
