"""A segmenter from its checkpoint to every way of asking: in process, both clients, NVIDIA's, HTTP and the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from PIL import Image
from support.awkward_images import awkward_images
from support.commands import call_tundish
from support.exported_segmenters import THRESHOLD, segmenter_folder
from support.segmentations import Expected, segment_faults, segmentation_pipeline, segmented_by
from support.server_process import ServerProcess

import tundish
from tundish.client import AsyncClient, Client
from tundish.masks import Mask
from tundish.results import ImageSegmentation, Segment

MODELS = ("mask2former", "segformer")
"""One of queries, whose segments have scores, and one that labels pixels."""


@dataclass(frozen=True)
class Served:
    """A server with two segmenters, what it is asked, and what the sources' own pipelines say to that."""

    process: ServerProcess
    repository: Path
    images: dict[str, Path]
    expected: dict[str, dict[str, list[Expected]]]

    def faults(self, model: str, answers: dict[str, Any]) -> dict[str, list[str]]:
        """Of segments by the names of the images."""
        found = {name: segment_faults(self.expected[model][name], answers[name]) for name in self.images}
        return {name: faults for name, faults in found.items() if faults}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, photographs: list[Path]) -> Iterator[Served]:
    folder, root = segmenter_folder(tmp_path_factory), tmp_path_factory.mktemp("segmentation")
    awkward = awkward_images(photographs[3])
    contents = {path.stem: path.read_bytes() for path in photographs[:2]}
    contents |= {name: awkward[name] for name in ("rotated by EXIF", "odd edges")}
    images = {name: root / name for name in contents}
    for name, data in contents.items():
        images[name].write_bytes(data)
    expected = {}
    for model in MODELS:
        ask = segmentation_pipeline(folder / "sources" / model)
        expected[model] = {name: segmented_by(ask, data, threshold=THRESHOLD) for name, data in contents.items()}
    with ServerProcess(folder / "models", "--instances", "1") as process:
        yield Served(process, folder / "models", images, expected)
        assert process.running, process.output


def test_the_images_differ_in_what_is_found(served: Served) -> None:
    for expected in served.expected.values():
        shares = {tuple((each.label, each.pixels.mean().round(2)) for each in found) for found in expected.values()}
        assert len(shares) == len(served.images)
    assert served.expected["segformer"]["rotated by EXIF"][0].pixels.shape == (400, 200), "a portrait"


@pytest.mark.parametrize("model", MODELS)
def test_in_process_and_both_clients_find_what_the_pipeline_finds(served: Served, model: str) -> None:
    with tundish.open(served.repository, instances=1) as runtime:
        here = {name: runtime.predict(model, image=path).result for name, path in served.images.items()}
    with Client(served.process.url) as client:
        there = {name: client.predict(model, image=path).result for name, path in served.images.items()}
        streamed = list(client.predict_stream(model, [{"image": path} for path in served.images.values()]))
    for answers in (here, there, dict(zip(served.images, (each.result for each in streamed), strict=True))):  # type: ignore[union-attr]
        assert all(isinstance(answer, ImageSegmentation) for answer in answers.values())
        assert served.faults(model, {name: answer.segments for name, answer in answers.items()}) == {}  # type: ignore[union-attr]


async def test_the_asynchronous_client_finds_the_same(served: Served) -> None:
    async with AsyncClient(served.process.url) as client:
        answers = {name: await client.predict("mask2former", image=path) for name, path in served.images.items()}
    assert served.faults("mask2former", {name: answer.result.segments for name, answer in answers.items()}) == {}  # type: ignore[union-attr]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("front", ["gRPC", "HTTP"])
def test_nvidias_clients_read_a_padded_batch_of_images_of_any_size(served: Served, model: str, front: str) -> None:
    kit, url = (triton, served.process.url) if front == "gRPC" else (triton_http, served.process.http_url)
    contents = [path.read_bytes() for path in served.images.values()]
    tensor = kit.InferInput("image", [len(contents), 1], "BYTES")
    tensor.set_data_from_numpy(np.array(contents, np.object_).reshape(-1, 1))
    with kit.InferenceServerClient(url) as client:
        response = client.infer(model, [tensor])
    labels, scores, masks, sizes = (response.as_numpy(name) for name in ("label", "score", "mask", "size"))
    most = max(map(len, served.expected[model].values()))
    assert labels.shape == scores.shape == masks.shape == (len(contents), most)
    assert sizes.shape == (len(contents), most, 2)
    answers = {
        name: [
            Segment(label.decode(), float(score) or None, Mask((int(size[0]), int(size[1])), mask))
            for label, score, mask, size in zip(*row, strict=True)
            if label
        ]
        for name, row in zip(served.images, zip(labels, scores, masks, sizes, strict=True), strict=True)
    }
    assert served.faults(model, answers) == {}


def test_metadata_says_what_a_request_decides(served: Served) -> None:
    with triton.InferenceServerClient(served.process.url) as client:
        outputs = client.get_model_metadata("segformer", as_json=True)["outputs"]
        engine = client.get_model_metadata("segformer.engine", as_json=True)
    assert [(each["name"], each["datatype"], each["shape"]) for each in outputs] == [
        ("label", "BYTES", ["-1", "-1"]),
        ("score", "FP32", ["-1", "-1"]),
        ("mask", "BYTES", ["-1", "-1"]),
        ("size", "INT64", ["-1", "-1", "2"]),
    ]
    assert [each["shape"] for each in engine["outputs"]] == [["-1", "5", "-1", "-1"]]


def test_the_command_shows_segments_to_people_and_programs(served: Served) -> None:
    arguments = [part for path in served.images.values() for part in ("--image", path)]
    shown = call_tundish("infer", "segformer", *arguments, "--url", served.process.url)
    assert shown.returncode == 0, shown.stderr
    largest = max(served.expected["segformer"]["odd edges"], key=lambda each: each.pixels.sum())
    rows, columns = np.nonzero(largest.pixels)
    place = f"({columns.min()}, {rows.min()}) to ({columns.max() + 1}, {rows.max() + 1})"
    line = next(line for line in shown.stdout.splitlines() if f"{largest.pixels.mean():.2%}" in line)
    assert largest.label in line
    assert place in line

    lines = call_tundish("infer", "mask2former", *arguments, "--url", served.process.url, "--json").stdout.splitlines()
    answers = {
        name: [
            Segment(each["label"], each["score"], Mask(tuple(each["mask"]["size"]), each["mask"]["counts"].encode()))
            for each in json.loads(line)["segments"]
        ]
        for name, line in zip(served.images, lines, strict=True)
    }
    assert served.faults("mask2former", answers) == {}


def test_the_command_saves_masks_as_pictures(served: Served, tmp_path: Path) -> None:
    path, masks = served.images["rotated by EXIF"], tmp_path / "new" / "masks"
    arguments = ("infer", "segformer", "--image", path, "--url", served.process.url, "--save-masks", masks)
    assert call_tundish(*arguments).returncode == 0
    expected = served.expected["segformer"]["rotated by EXIF"]
    names = [f"rotated by EXIF-{number}-{each.label}.png" for number, each in enumerate(expected, start=1)]
    assert sorted(path.name for path in masks.iterdir()) == names
    for name, segment in zip(names, expected, strict=True):
        with Image.open(masks / name) as picture:
            assert np.mean((np.asarray(picture) > 0) != segment.pixels) < 1e-4


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--text", "rust"), 2, "--save-masks is for --image; leave it out"),
        (
            ("--image", "a/part.jpg", "--image", "b/part.png"),
            2,
            "2 images are named 'part', and so would be their masks",
        ),
    ],
)
def test_masks_that_cannot_be_saved_are_refused_first(
    arguments: tuple[str, ...], code: int, message: str, tmp_path: Path
) -> None:
    ran = call_tundish("infer", "segformer", *arguments, "--save-masks", tmp_path / "masks", "--url", "127.0.0.1:1")
    assert ran.returncode == code
    assert message in " ".join(ran.stderr.split()).replace("│ ", "")
    assert not (tmp_path / "masks").exists()
