"""Exported detectors find what `transformers.pipeline` finds, on images that no export saw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.awkward_images import awkward_images
from support.detections import detection_pipeline, found_by, object_faults
from support.detector_families import DETECTORS, save_detector

import tundish
from tundish.errors import InvalidInputError
from tundish.results import ObjectDetection
from tundish_exporters import export_huggingface

THIN = {"one pixel wide", "very wide", "very tall"}


@pytest.fixture(scope="module")
def awkward(photographs: list[Path]) -> dict[str, bytes]:
    return awkward_images(photographs[3])


@pytest.fixture(scope="module", params=DETECTORS)
def detector(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, small_images: Path
) -> Iterator[tuple[Path, Any]]:
    """A source with its bundle `model` beside it."""
    root = tmp_path_factory.mktemp("detector")
    source = save_detector(root / "source", DETECTORS[request.param]())
    export_huggingface(
        source,
        task="object-detection",
        name="model",
        repository=root / "models",
        precision="fp32",
        calibration=small_images,
    )
    with tundish.open(root / "models", instances=1) as runtime:
        yield source, runtime


def test_a_detector_finds_what_its_pipeline_finds(
    detector: tuple[Path, Any], photographs: list[Path], awkward: dict[str, bytes]
) -> None:
    source, runtime = detector
    images = {path.name: path.read_bytes() for path in photographs[:3]} | awkward
    ask = detection_pipeline(source)
    faults, counts = {}, set()
    for name, data in images.items():
        if name in THIN:
            continue
        result = runtime.predict("model", image=data).result
        assert isinstance(result, ObjectDetection)
        expected = found_by(ask, data)
        counts.add(len(expected))
        if found := object_faults(expected, result.objects):
            faults[name] = found
    assert faults == {}
    assert len(counts) > 2, "the images should differ in what is found"


def test_thin_images_are_found_in_or_refused_as_by_the_pipeline(
    detector: tuple[Path, Any], awkward: dict[str, bytes]
) -> None:
    source, runtime = detector
    ask = detection_pipeline(source)
    for name, data in awkward.items():
        if name not in THIN:
            continue
        try:
            expected = found_by(ask, data)
        except (RuntimeError, ValueError):
            with pytest.raises(InvalidInputError, match="too long and thin"):
                runtime.predict("model", image=data)
        else:
            assert object_faults(expected, runtime.predict("model", image=data).result.objects) == [], name
