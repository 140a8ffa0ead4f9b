"""Oriented boxes and instances from ONNX files over the command to every way of asking; what is found was drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from numpy.typing import NDArray
from PIL import Image
from support.color_finder import draw_ellipses, draw_rectangles, write_color_finder
from support.commands import call_tundish
from support.engines import hidden_openvino
from support.once import made_once
from support.oriented_boxes import corners_of
from support.server_process import ServerProcess

import tundish
from tundish.client import Client
from tundish.masks import Mask
from tundish.results import DetectedObject, ImageSegmentation, ObjectDetection, Segment
from tundish_exporters.cli import export

PARTS: dict[str, tuple[tuple[int, int], dict[str, tuple[float, ...]]]] = {
    "wide": ((300, 180), {"red": (80, 70, 90, 24, 0.5), "blue": (220, 110, 60, 30, -0.6)}),
    "tall": ((120, 250), {"green": (60, 120, 70, 20, 1.2), "red": (60, 210, 40, 22, 0.1)}),
    "small": ((70, 70), {"blue": (35, 35, 40, 14, 2.2)}),
    "empty": ((100, 80), {}),
}
"""Width and height of each picture, and of each colour centre x, centre y, width, height and angle."""
CELLS: dict[str, tuple[tuple[int, int], dict[str, tuple[float, float, float, float]]]] = {
    "plate": ((300, 180), {"red": (30, 20, 130, 80), "blue": (160, 60, 280, 170)}),
    "drop": ((120, 250), {"green": (20, 60, 100, 220)}),
    "clear": ((100, 80), {}),
}
"""Likewise, of each colour the box of an ellipse."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`models` with `parts` and `cells`, exported as their users do it, and pictures to ask them about."""

    def make(root: Path) -> None:
        for name in ("parts", "cells"):
            (root / name).mkdir()
        for name, (size, boxes) in PARTS.items():
            corners = {color: corners_of(box) for color, box in boxes.items()}
            draw_rectangles(size, corners).save(root / "parts" / f"{name}.png")
        for name, (size, ellipses) in CELLS.items():
            draw_ellipses(size, ellipses).save(root / "cells" / f"{name}.png")
        with hidden_openvino():
            for name, kind, task in (("parts", "obb", "object-detection"), ("cells", "segment", "image-segmentation")):
                export(
                    write_color_finder(root / f"{name}.onnx", kind),  # type: ignore[arg-type]
                    task=task,  # type: ignore[arg-type]
                    name=name,
                    repository=root / "models",
                    calibration=root / name,
                    precision="fp32",
                )

    return made_once(tmp_path_factory, "yolo-heads", make)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    with ServerProcess(folder / "models", "--instances", "1") as process:
        yield process
        assert process.running, process.output


def assert_parts(name: str, objects: Sequence[DetectedObject]) -> None:
    """Each is where it was drawn, to a pixel of the network's input or two."""
    (width, height), boxes = PARTS[name]
    tolerance = 2 * max(width, height, 128) / 128
    assert sorted(found.label for found in objects) == sorted(boxes)
    for found in objects:
        assert found.corners is not None
        for corner in corners_of(boxes[found.label]):
            assert min(math.dist(corner, other) for other in found.corners) < tolerance
        x, y = zip(*found.corners, strict=True)
        assert found.box == pytest.approx((min(x), min(y), max(x), max(y)), abs=0.01)


def pixels_of(name: str, color: str) -> NDArray[np.bool_]:
    (width, height), boxes = CELLS[name]
    x_min, y_min, x_max, y_max = boxes[color]
    y, x = np.mgrid[:height, :width] + 0.5
    return np.asarray(
        ((2 * x - x_min - x_max) / (x_max - x_min)) ** 2 + ((2 * y - y_min - y_max) / (y_max - y_min)) ** 2 <= 1
    )


def assert_cells(name: str, segments: Sequence[Segment]) -> None:
    assert sorted(segment.label for segment in segments) == sorted(CELLS[name][1])
    for segment in segments:
        drawn, found = pixels_of(name, segment.label), segment.mask.to_array()
        assert (drawn & found).sum() / (drawn | found).sum() > 0.94


def test_in_process_and_served_find_what_was_drawn(folder: Path, server: ServerProcess) -> None:
    with tundish.open(folder / "models", instances=1) as runtime, Client(server.url) as client:
        for model, pictures in (("parts", PARTS), ("cells", CELLS)):
            for name in pictures:
                path = folder / model / f"{name}.png"
                here, there = (asked.predict(model, image=path).result for asked in (runtime, client))
                if isinstance(here, ObjectDetection) and isinstance(there, ObjectDetection):
                    assert_parts(name, here.objects)
                    assert_parts(name, there.objects)
                else:
                    assert isinstance(here, ImageSegmentation)
                    assert isinstance(there, ImageSegmentation)
                    assert_cells(name, there.segments)
                    assert [each.mask for each in here.segments] == [each.mask for each in there.segments]


@pytest.mark.parametrize("front", ["gRPC", "HTTP"])
def test_nvidias_clients_read_corners_and_masks(folder: Path, server: ServerProcess, front: str) -> None:
    kit, url = (triton, server.url) if front == "gRPC" else (triton_http, server.http_url)

    def ask(client: Any, model: str, names: Sequence[str]) -> Any:
        contents = [(folder / model / f"{name}.png").read_bytes() for name in names]
        tensor = kit.InferInput("image", [len(contents), 1], "BYTES")
        tensor.set_data_from_numpy(np.array(contents, np.object_).reshape(-1, 1))
        return client.infer(model, [tensor])

    with kit.InferenceServerClient(url) as client:
        of_parts, of_cells = (ask(client, model, list(names)) for model, names in (("parts", PARTS), ("cells", CELLS)))
        nothing = ask(client, "parts", ["empty"])
    labels, corners = of_parts.as_numpy("label"), of_parts.as_numpy("corners")
    assert corners.shape == (*labels.shape, 4, 2) == (len(PARTS), 2, 4, 2)
    assert nothing.as_numpy("corners").shape == (1, 0, 4, 2)
    for name, row, boxes in zip(PARTS, labels, corners, strict=True):
        drawn = PARTS[name][1]
        for label, found in zip(row, boxes, strict=True):
            if label:
                middle = drawn[label.decode()][:2]
                assert found.mean(axis=0) == pytest.approx(middle, abs=3)
            else:
                assert not found.any()
    labels, masks, sizes = (of_cells.as_numpy(name) for name in ("label", "mask", "size"))
    mask = Mask((int(sizes[1, 0, 0]), int(sizes[1, 0, 1])), masks[1, 0])
    assert_cells("drop", [Segment(labels[1, 0].decode(), 1.0, mask)])


def test_metadata_names_the_corners_of_oriented_boxes_alone(server: ServerProcess) -> None:
    with triton.InferenceServerClient(server.url) as client:
        pipeline, engine, masks = (
            {each["name"]: each["shape"] for each in client.get_model_metadata(name, as_json=True)["outputs"]}
            for name in ("parts", "parts.engine", "cells.engine")
        )
    assert pipeline == {
        "label": ["-1", "-1"],
        "score": ["-1", "-1"],
        "box": ["-1", "-1", "4"],
        "corners": ["-1", "-1", "4", "2"],
    }
    assert engine == {"boxes": ["-1", "5", "12"], "scores": ["-1", "3", "12"]}
    assert masks["coefficients"] == ["-1", "8", "12"]
    assert masks["prototypes"] == ["-1", "8", "32", "32"]


def test_the_command_shows_corners_to_people_and_programs(folder: Path, server: ServerProcess) -> None:
    path = folder / "parts" / "small.png"
    shown = call_tundish("infer", "parts", "--image", path, "--url", server.url, "--json")
    assert shown.returncode == 0, shown.stderr
    (found,) = json.loads(shown.stdout)["objects"]
    assert list(found) == ["label", "score", "box", "corners"]
    assert np.mean(found["corners"], axis=0) == pytest.approx((35, 35), abs=1)
    for_people = call_tundish("infer", "parts", "--image", path, "--url", server.url).stdout
    assert " ".join(f"({x:.0f}, {y:.0f})" for x, y in found["corners"]) in for_people


def test_the_command_saves_masks(folder: Path, server: ServerProcess, tmp_path: Path) -> None:
    path = folder / "cells" / "drop.png"
    arguments = ("--image", path, "--url", server.url, "--save-masks", tmp_path)
    assert call_tundish("infer", "cells", *arguments).returncode == 0
    with Image.open(tmp_path / "drop-1-green.png") as picture:
        assert np.mean((np.asarray(picture) > 0) != pixels_of("drop", "green")) < 0.02
