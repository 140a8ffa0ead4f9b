"""A detector from its checkpoint to every way of asking: in process, both clients, NVIDIA's, HTTP and the command."""

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
from support.awkward_images import awkward_images, encoded_as
from support.commands import call_tundish
from support.detections import detection_pipeline, found_by, object_faults
from support.detector_families import detr, save_detector
from support.engines import hidden_openvino
from support.server_process import ServerProcess

import tundish
from tundish.client import AsyncClient, Client
from tundish.results import Box, DetectedObject, ObjectDetection
from tundish_exporters import export_huggingface

THRESHOLD = 0.6


@dataclass(frozen=True)
class Served:
    """A server with a detector, what it is asked, and what the source's own pipeline says to that."""

    process: ServerProcess
    repository: Path
    images: dict[str, Path]
    expected: dict[str, list[DetectedObject]]

    def contents(self) -> list[bytes]:
        return [path.read_bytes() for path in self.images.values()]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, photographs: list[Path]) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("detection")
    source = save_detector(root / "source", detr())
    repository = root / "models"
    with hidden_openvino():
        export_huggingface(source, task="object-detection", name="defects", repository=repository, threshold=THRESHOLD)
    awkward = awkward_images(photographs[3])
    contents = {path.stem: path.read_bytes() for path in photographs[:3]}
    contents |= {name: awkward[name] for name in ("rotated by EXIF", "grey", "odd edges")}
    contents["black"] = encoded_as(Image.new("RGB", (70, 50)), "PNG")
    images = {name: root / name for name in contents}
    for name, data in contents.items():
        images[name].write_bytes(data)
    ask = detection_pipeline(source)
    expected = {name: found_by(ask, data, threshold=THRESHOLD) for name, data in contents.items()}
    with ServerProcess(repository, "--instances", "1") as process:
        yield Served(process, repository, images, expected)
        assert process.running, process.output


def faults_of(served: Served, answers: dict[str, Any]) -> dict[str, list[str]]:
    """Of answers in the order of the images."""
    found = {name: object_faults(served.expected[name], answers[name]) for name in served.images}
    return {name: faults for name, faults in found.items() if faults}


def test_the_images_differ_in_what_is_found(served: Served) -> None:
    counts = {len(objects) for objects in served.expected.values()}
    assert 0 in counts
    assert len(counts) > 2


def test_in_process_and_both_clients_find_what_the_pipeline_finds(served: Served) -> None:
    with tundish.open(served.repository, instances=1) as runtime:
        here = {name: runtime.predict("defects", image=path).result for name, path in served.images.items()}
    with Client(served.process.url) as client:
        there = {name: client.predict("defects", image=path).result for name, path in served.images.items()}
        streamed = list(client.predict_stream("defects", [{"image": image} for image in served.images.values()]))
    for answers in (here, there, dict(zip(served.images, (each.result for each in streamed), strict=True))):  # type: ignore[union-attr]
        assert all(isinstance(answer, ObjectDetection) for answer in answers.values())
        assert faults_of(served, {name: answer.objects for name, answer in answers.items()}) == {}  # type: ignore[union-attr]


async def test_the_asynchronous_client_finds_the_same(served: Served) -> None:
    async with AsyncClient(served.process.url) as client:
        answers = {name: await client.predict("defects", image=path) for name, path in served.images.items()}
    assert faults_of(served, {name: answer.result.objects for name, answer in answers.items()}) == {}  # type: ignore[union-attr]


def read_tensors(response: Any) -> list[list[DetectedObject]]:
    """As a program of a stock client reads them; an empty label ends an image's objects."""
    labels, scores, boxes = (response.as_numpy(name) for name in ("label", "score", "box"))
    assert labels.shape == scores.shape
    assert boxes.shape == (*labels.shape, 4)
    return [
        [
            DetectedObject(label.decode(), float(score), Box(*map(float, box)))
            for label, score, box in zip(*row, strict=True)
            if label
        ]
        for row in zip(labels, scores, boxes, strict=True)
    ]


@pytest.mark.parametrize("front", ["gRPC", "HTTP"])
def test_nvidias_clients_read_a_padded_batch_of_images_of_any_size(served: Served, front: str) -> None:
    kit, url = (triton, served.process.url) if front == "gRPC" else (triton_http, served.process.http_url)
    contents = served.contents()
    tensor = kit.InferInput("image", [len(contents), 1], "BYTES")
    tensor.set_data_from_numpy(np.array(contents, np.object_).reshape(-1, 1))
    with kit.InferenceServerClient(url) as client:
        response = client.infer("defects", [tensor])
    assert faults_of(served, dict(zip(served.images, read_tensors(response), strict=True))) == {}
    counts = [len(objects) for objects in served.expected.values()]
    scores = response.as_numpy("score")
    assert scores.shape == (len(contents), max(counts))
    assert [np.count_nonzero(row) for row in scores] == counts


@pytest.mark.parametrize("front", ["gRPC", "HTTP"])
def test_nvidias_clients_read_that_nothing_is_found(served: Served, front: str) -> None:
    kit, url = (triton, served.process.url) if front == "gRPC" else (triton_http, served.process.http_url)
    name = next(name for name, objects in served.expected.items() if not objects)
    tensor = kit.InferInput("image", [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[served.images[name].read_bytes()]], np.object_))
    with kit.InferenceServerClient(url) as client:
        response = client.infer("defects", [tensor])
    shapes = [response.as_numpy(name).shape for name in ("label", "score", "box")]
    assert shapes == [(1, 0), (1, 0), (1, 0, 4)]


def test_metadata_says_what_a_request_decides(served: Served) -> None:
    with triton.InferenceServerClient(served.process.url) as client:
        outputs = client.get_model_metadata("defects", as_json=True)["outputs"]
        engine = client.get_model_metadata("defects.engine", as_json=True)
    assert [(each["name"], each["datatype"], each["shape"]) for each in outputs] == [
        ("label", "BYTES", ["-1", "-1"]),
        ("score", "FP32", ["-1", "-1"]),
        ("box", "FP32", ["-1", "-1", "4"]),
    ]
    assert [each["shape"] for each in engine["inputs"]] == [["-1", "3", "-1", "-1"]]
    assert [each["name"] for each in engine["outputs"]] == ["logits", "pred_boxes"]


def test_the_command_shows_objects_to_people_and_programs(served: Served) -> None:
    arguments = [part for path in served.images.values() for part in ("--image", path)]
    shown = call_tundish("infer", "defects", *arguments, "--url", served.process.url)
    assert shown.returncode == 0, shown.stderr
    best = next(objects[0] for objects in served.expected.values() if objects)
    x_min, y_min, x_max, y_max = best.box
    assert f"({x_min:.0f}, {y_min:.0f}) to ({x_max:.0f}, {y_max:.0f})" in shown.stdout
    assert "nothing found" in shown.stdout

    lines = call_tundish("infer", "defects", *arguments, "--url", served.process.url, "--json").stdout.splitlines()
    answers = {
        name: [DetectedObject(each["label"], each["score"], Box(**each["box"])) for each in json.loads(line)["objects"]]
        for name, line in zip(served.images, lines, strict=True)
    }
    assert faults_of(served, answers) == {}
