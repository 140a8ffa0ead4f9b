"""Regions and lines of text from ONNX files to every way of asking: in process, clients, NVIDIA's and the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray
from PIL import Image
from support.commands import call_tundish
from support.documents import blocks, png, stripes, write_darkness_detector, write_stripe_reader
from support.engines import hidden_openvino
from support.once import made_once
from support.server_process import ServerProcess

import tundish
from tundish.client import Client
from tundish.results import Point, TextDetection, TextRecognition, TextRegion
from tundish_exporters import OnnxHints, export_onnx
from tundish_exporters.equality import compare_results
from tundish_exporters.sources.onnx_file import load_onnx

PAGES = {
    "empty": blocks([], (200, 100)),
    "one": blocks([(30, 20, 150, 50)], (200, 100)),
    "three": blocks([(400, 200, 700, 240), (60, 60, 500, 100), (60, 205, 300, 240)], (800, 900)),
}
LINES = {"_": "", "rgb_b": "rgbb", "gr" * 15: "gr" * 15}
"""Stripes, and what is read in them."""


@dataclass(frozen=True)
class Served:
    process: ServerProcess
    repository: Path
    images: dict[str, Path]
    found: dict[str, TextDetection]
    """By the source's own arithmetic."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    labels = ["b", "g", "r"]

    def make(root: Path) -> None:
        detector, reader = write_darkness_detector(root / "detector.onnx"), write_stripe_reader(root / "reader.onnx")
        with hidden_openvino():
            export_onnx(detector, task="text-detection", name="regions", repository=root / "models")
            export_onnx(
                reader,
                task="text-recognition",
                name="lines",
                repository=root / "models",
                hints=OnnxHints(labels=labels),
            )
        for name, image in (PAGES | {text: stripes(text) for text in LINES}).items():
            (root / f"{name}.png").write_bytes(png(image))

    root = made_once(tmp_path_factory, "documents", make)
    images = {name: root / f"{name}.png" for name in (*PAGES, *LINES)}
    source = load_onnx(root / "detector.onnx", "text-detection", OnnxHints())
    found = {name: source.predict(images[name].read_bytes()) for name in PAGES}
    assert [len(each.regions) for each in found.values()] == [0, 1, 3]  # type: ignore[union-attr]
    with ServerProcess(root / "models", "--instances", "1") as process:
        yield Served(process, root / "models", images, found)  # type: ignore[arg-type]
        assert process.running, process.output


def test_in_process_and_served_find_what_the_source_finds(served: Served) -> None:
    with tundish.open(served.repository, instances=1) as runtime, Client(served.process.url) as client:
        for name, expected in served.found.items():
            here = runtime.predict("regions", image=served.images[name]).result
            there = client.predict("regions", image=served.images[name]).result
            assert compare_results(expected, here)[1] == ""
            assert compare_results(expected, there)[1] == ""
    assert isinstance(there, TextDetection)
    upper_left = [region.corners[0] for region in there.regions]
    # The second of the lower row stands a bit higher.
    assert upper_left == [pytest.approx((x, y), abs=40) for x, y in ((60, 60), (60, 205), (400, 200))]


def test_in_process_and_served_read_what_is_there(served: Served) -> None:
    with tundish.open(served.repository, instances=1) as runtime, Client(served.process.url) as client:
        for name, text in LINES.items():
            here = runtime.predict("lines", image=served.images[name]).result
            there = client.predict("lines", image=served.images[name]).result
            assert isinstance(here, TextRecognition)
            assert isinstance(there, TextRecognition)
            assert here.text == there.text == text
            assert here.score == pytest.approx(there.score, abs=1e-6)
            assert (here.score > 0.9) == bool(text)
        streamed = list(client.predict_stream("lines", [{"image": served.images[name]} for name in LINES]))
    together = [getattr(getattr(each, "result", None), "text", each) for each in streamed]
    assert together == list(LINES.values())


def read_regions(corners: NDArray[np.float32], scores: NDArray[np.float32]) -> TextDetection:
    """As a program of a stock client reads them; a score of 0 ends an image's regions."""
    regions = []
    for quadrilateral, score in zip(corners, scores, strict=True):
        if score:
            first, second, third, fourth = (Point(*map(float, corner)) for corner in quadrilateral)
            regions.append(TextRegion((first, second, third, fourth), float(score)))
    return TextDetection(tuple(regions))


def test_nvidias_client_reads_padded_regions_and_texts(served: Served) -> None:
    def ask(model: str, names: list[str]) -> Any:  # tritonclient has no types
        contents = [served.images[name].read_bytes() for name in names]
        tensor = triton.InferInput("image", [len(contents), 1], "BYTES")
        tensor.set_data_from_numpy(np.array(contents, np.object_).reshape(-1, 1))
        return client.infer(model, [tensor])

    with triton.InferenceServerClient(served.process.url) as client:
        found, texts = ask("regions", list(PAGES)), ask("lines", list(LINES))
        outputs = client.get_model_metadata("regions", as_json=True)["outputs"]
    corners, scores = found.as_numpy("corners"), found.as_numpy("score")
    assert (corners.shape, scores.shape) == ((3, 3, 4, 2), (3, 3))
    for row, expected in enumerate(served.found.values()):
        assert compare_results(expected, read_regions(corners[row], scores[row]))[1] == ""
    assert [text.decode() for text in texts.as_numpy("text")] == list(LINES.values())
    assert [(each["name"], each["shape"]) for each in outputs] == [
        ("corners", ["-1", "-1", "4", "2"]),
        ("score", ["-1", "-1"]),
    ]


def test_the_command_shows_regions_and_texts(served: Served) -> None:
    url = ("--url", served.process.url)
    pages = [part for name in PAGES for part in ("--image", served.images[name])]
    shown = call_tundish("infer", "regions", *pages, *url)
    assert shown.returncode == 0, shown.stderr
    assert "no text found" in shown.stdout
    (region,) = served.found["one"].regions
    assert "  ".join(f"({x:.0f}, {y:.0f})" for x, y in region.corners) in shown.stdout
    listed = call_tundish("infer", "regions", *pages, *url, "--json").stdout
    answers = [json.loads(line) for line in listed.splitlines()]
    assert [len(each["regions"]) for each in answers] == [0, 1, 3]
    assert answers[1]["regions"][0]["corners"] == [corner._asdict() for corner in region.corners]

    lines = [part for name in LINES for part in ("--image", served.images[name])]
    shown = call_tundish("infer", "lines", *lines, *url)
    assert "nothing read" in shown.stdout
    assert "rgbb" in shown.stdout
    answers = [json.loads(line) for line in call_tundish("infer", "lines", *lines, *url, "--json").stdout.splitlines()]
    assert [each["text"] for each in answers] == list(LINES.values())


def test_an_image_of_one_pixel_and_a_long_strip_are_answered(served: Served, tmp_path: Path) -> None:
    with Client(served.process.url) as client:
        for size in ((1, 1), (3000, 4), (4, 3000)):
            path = tmp_path / "strip.png"
            path.write_bytes(png(Image.new("RGB", size, "white")))
            assert client.predict("regions", image=path).result == TextDetection(())
            path.write_bytes(png(Image.new("RGB", size)))
            assert client.predict("lines", image=path).result == TextRecognition("", 0.0)
