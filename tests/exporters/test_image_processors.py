"""Processors are read as what they do, whatever their configuration says beside it, or refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from PIL import Image
from support.model_families import efficientnet

from tundish_exporters import ExportError
from tundish_exporters.sources.image_processors import read_image_processor
from tundish_exporters.sources.pillow_images import processed_image

hf: Any = transformers


def assert_read_as_it_is(processor: Any, data: bytes) -> None:
    expected = processor(Image.open(io.BytesIO(data)), return_tensors="np")["pixel_values"]
    actual = processed_image(read_image_processor(processor, any_size=False), data)
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4)


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
    assert_read_as_it_is(processor, photographs[2].read_bytes())


@pytest.mark.parametrize("share", [0.9, None])
@pytest.mark.parametrize("size", [{"shortest_edge": 64}, {"height": 64, "width": 64}, {"shortest_edge": 400}])
def test_poolformers_crop_is_said_apart_from_what_it_resizes_to(
    size: dict[str, int], share: float | None, photographs: list[Path]
) -> None:
    processor = hf.PoolFormerImageProcessor(size=size, crop_pct=share, crop_size={"height": 56, "width": 48})
    assert_read_as_it_is(processor, photographs[2].read_bytes())


def test_poolformers_share_of_two_edges_is_refused() -> None:
    processor = hf.PoolFormerImageProcessor(size={"height": 64, "width": 72})
    with pytest.raises(ExportError, match=r"resizes to {'height': 64, 'width': 72}, enlarged by its crop_pct; tundish"):
        read_image_processor(processor, any_size=False)


def test_a_crop_that_the_processor_does_not_make_is_not_made(photographs: list[Path]) -> None:
    processor = hf.ViTImageProcessor(
        size={"height": 64, "width": 64}, do_center_crop=True, crop_size={"height": 48, "width": 48}
    )
    assert_read_as_it_is(processor, photographs[2].read_bytes())


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("Donut", "resizes in a way of its own, which tundish does not reproduce"),
        ("Nougat", "resizes in a way of its own, which tundish does not reproduce"),
        ("Perceiver", "resizes in a way of its own, which tundish does not reproduce"),
        ("Siglip2", "is not an image processor that tundish can reproduce: it has no size"),
        ("GLPN", "is not an image processor that tundish can reproduce: it has no image_mean"),
    ],
)
@pytest.mark.parametrize("any_size", [True, False])
def test_a_processor_of_its_own_rules_is_refused(kind: str, reason: str, any_size: bool) -> None:
    processor = getattr(hf, f"{kind}ImageProcessor")()
    with pytest.raises(ExportError) as raised:
        read_image_processor(processor, any_size=any_size)
    assert str(raised.value) == f"{kind}ImageProcessor {reason}."
