"""A real YOLO with its real head, from Darknet's weights over an ONNX file to objects, in process and served."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import call_tundish
from support.darknet import STREETS, write_yolo
from support.engines import hidden_openvino
from support.once import made_once
from support.server_process import ServerProcess

import tundish
from tundish.client import Client
from tundish.results import DetectedObject, ObjectDetection
from tundish_exporters.cli import export
from tundish_exporters.demo.assets import fetch

FOUND = {"bus.jpg": {"person": 4, "bus": 1}, "zidane.jpg": {"person": 3, "tie": 1}}
BUS = (13, 230, 804, 749)
"""Where the bus is, by eye."""


@pytest.fixture(scope="module")
def streets(asset_cache: Path) -> dict[str, Path]:
    directory = fetch(STREETS, asset_cache) / "ultralytics" / "assets"
    return {name: directory / name for name in FOUND}


@pytest.fixture(scope="module")
def yolo(tmp_path_factory: pytest.TempPathFactory, asset_cache: Path, streets: dict[str, Path]) -> Path:
    """A repository with `streets`, exported as its users do it."""

    def make(root: Path) -> None:
        labels = write_yolo(asset_cache, root / "yolov3-tiny.onnx")
        with hidden_openvino():
            export(
                root / "yolov3-tiny.onnx",
                task="object-detection",
                name="streets",
                repository=root / "models",
                calibration=streets["bus.jpg"].parent,
                threshold=0.3,
                labels=labels,
                precision="fp32",
            )

    return made_once(tmp_path_factory, "yolo", make) / "models"


@pytest.fixture(scope="module")
def server(yolo: Path) -> Iterator[ServerProcess]:
    with ServerProcess(yolo, "--instances", "1") as process:
        yield process
        assert process.running, process.output


def assert_found(name: str, objects: tuple[DetectedObject, ...]) -> None:
    assert Counter(found.label for found in objects) == FOUND[name]
    if name == "bus.jpg":
        (bus,) = (found.box for found in objects if found.label == "bus")
        assert bus == pytest.approx(BUS, abs=30)


def test_people_a_bus_and_a_tie_are_found(yolo: Path, server: ServerProcess, streets: dict[str, Path]) -> None:
    with tundish.open(yolo, instances=1) as runtime, Client(server.url) as client:
        for name, path in streets.items():
            here = runtime.predict("streets", image=path).result
            there = client.predict("streets", image=path).result
            assert isinstance(here, ObjectDetection)
            assert isinstance(there, ObjectDetection)
            assert_found(name, here.objects)
            assert_found(name, there.objects)
            for found, other in zip(here.objects, there.objects, strict=True):
                assert found.score == pytest.approx(other.score, abs=1e-3)
                assert found.box == pytest.approx(other.box, abs=1)


def test_the_command_finds_them_too(server: ServerProcess, streets: dict[str, Path]) -> None:
    shown = call_tundish("infer", "streets", "--image", streets["bus.jpg"], "--url", server.url, "--json")
    assert shown.returncode == 0, shown.stderr
    assert Counter(found["label"] for found in json.loads(shown.stdout)["objects"]) == FOUND["bus.jpg"]
