"""Fixtures of the exporters' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.awkward_images import blurred_noise
from support.engines import hidden_openvino


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny networks spend more time on waking threads than on computing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="session")
def hasty_reports() -> Iterator[None]:
    """In this process a report times the stages of an item a few times; no test asks how long one takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tundish_exporters.report.stages._RUNS", 5)
        yield


@pytest.fixture(autouse=True, scope="module")
def engines() -> Iterator[None]:
    """Exports in this process are for ONNX Runtime alone, in half the time; not in `test_openvino_variants.py`."""
    with hidden_openvino():
        yield


@pytest.fixture(scope="session")
def small_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small tinted pictures to calibrate on; they are read faster than the probes of an export without data."""
    directory = tmp_path_factory.mktemp("small-images")
    for number, color in enumerate(np.random.default_rng(8).integers(0, 256, (12, 3))):
        noise = blurred_noise(50 + 5 * number, 100 - 4 * number)
        tint = Image.new("RGB", noise.size, tuple(map(int, color)))
        Image.blend(noise, tint, 0.7).save(directory / f"{number}.png")
    return directory
