"""Processors that say in several steps how they normalise are read as the one that these come to."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.model_families import efficientnet

from tundish_exporters.sources.image_processors import read_image_processor
from tundish_exporters.sources.pillow_images import processed_image


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"include_top": False},
        {"rescale_factor": 1 / 127.5, "rescale_offset": True},
        {"do_normalize": False, "rescale_factor": 1 / 127.5, "rescale_offset": True, "include_top": False},
        {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7]},
    ],
)
def test_efficientnets_steps_are_one(settings: dict[str, Any], photographs: list[Path]) -> None:
    _, processor = efficientnet(**settings)
    data = photographs[2].read_bytes()
    expected = processor(Image.open(io.BytesIO(data)), return_tensors="np")["pixel_values"]
    actual = processed_image(read_image_processor(processor, any_size=False), data)
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4)
