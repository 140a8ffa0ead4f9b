"""From weights of prototypes to the masks of objects, against PyTorch's own interpolation of whole images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from support.onnx_detectors import naive_objects
from support.prototype_masks import Array, expected_mask

from tundish.errors import BundleError, EngineError
from tundish.manifest import BoxPostprocess, ListedPostprocess, PrototypeMasksPostprocess, TensorSpec
from tundish.tasks.image_reading import PreparedImage
from tundish.tasks.segment_finding import load_finder
from tundish_kernels import Window

LABELS = ("cell", "nucleus")
SEEN = (32, 48)
"""Height and width of the network's input."""
CELLS = (8, 12)
PROTOTYPES = 5
IMAGES = [
    (Window.stretch(SEEN), (50, 61)),
    (Window.letterbox((97, 61), SEEN), (97, 61)),
    (Window.letterbox((40, 300), SEEN), (40, 300)),
    (Window.letterbox((7, 5), SEEN, placement="top_left"), (7, 5)),
]
"""Stretched, letterboxed either way, and enlarged."""


def images() -> list[PreparedImage]:
    return [PreparedImage(np.zeros((1, 1, 3), np.uint8), *each) for each in IMAGES]


def outputs(seed: int, count: int) -> dict[str, Array]:
    draw = np.random.default_rng(seed)
    shape = (len(IMAGES), count)
    return {
        "boxes": np.concatenate(
            [draw.uniform(-4, 40, (*shape, 2)), draw.uniform(1, 40, (*shape, 2))], axis=2
        ).astype(np.float32),
        "scores": draw.uniform(0, 1, (*shape, len(LABELS))).astype(np.float32) ** 2,
        "coefficients": draw.normal(0, 1, (*shape, PROTOTYPES)).astype(np.float32),
        "prototypes": draw.normal(0, 1, (len(IMAGES), PROTOTYPES, *CELLS)).astype(np.float32),
    }  # fmt: skip


def placing(place: Window, size: tuple[int, int]) -> Callable[[list[float]], list[float]]:
    """From corners in pixels of the network's input to those in pixels of the image."""
    y, x = size[0] / place.resized_height, size[1] / place.resized_width
    offsets = (place.left, place.top) * 2
    return lambda box: [(edge + off) * scale for edge, off, scale in zip(box, offsets, (x, y) * 2, strict=True)]


def find(rule: PrototypeMasksPostprocess, given: dict[str, Array]) -> list[Any]:
    specs = [TensorSpec(name=name, datatype="FP32", shape=array.shape) for name, array in given.items()]
    return load_finder(rule, specs, Path("bundle")).find(given, images(), SEEN)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 9), last=st.booleans())
def test_masks_are_pytorchs_cut_at_the_boxes_of_plain_loops(seed: int, count: int, last: bool) -> None:
    made = outputs(seed, count)
    rule = BoxPostprocess(labels=LABELS, threshold=0.2, box_form="centre", candidates_last=last, iou=0.45)
    of_candidates = ("boxes", "scores", "coefficients")
    swapped = {name: made[name].swapaxes(1, 2).copy() if last else made[name] for name in of_candidates}
    found = find(PrototypeMasksPostprocess(objects=rule), made | swapped)
    for row, (place, size) in enumerate(IMAGES):
        boxes = made["boxes"][row].astype(np.float64)
        corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
        # The object's number goes with its box, to tell whose weights are meant.
        tagged = np.concatenate([corners, np.arange(count)[:, np.newaxis]], axis=1)
        segments = list(found[row])
        for label, score, (*box, number) in naive_objects(tagged, made["scores"][row], threshold=0.2, iou=0.45):
            logits = np.tensordot(made["coefficients"][row, int(number)], made["prototypes"][row], 1)
            pixels, unsure = expected_mask(box, logits, placing(place, size), size, SEEN)
            if not pixels.any() and (not segments or segments[0].score != pytest.approx(score)):
                continue  # an object without a pixel is no segment
            segment = segments.pop(0)
            assert (segment.label, segment.score) == (LABELS[label], pytest.approx(score))
            assert segment.mask.size == size
            assert not ((segment.mask.to_array() != pixels) & ~unsure).any()
        assert not segments


def test_whole_cells_of_padding_give_the_masks_of_cropped_prototypes() -> None:
    """As YOLO's own scripts make them at the size of the image."""
    place, size = Window(32, 24, 0, -12), (160, 120)
    made = outputs(3, 1)
    logits = np.tensordot(made["coefficients"][0, 0], made["prototypes"][0], 1)
    cropped = torch.from_numpy(logits[:, 3:9])[None, None]
    expected = torch.nn.functional.interpolate(cropped, size, mode="bilinear", align_corners=False)[0, 0].numpy() > 0
    given = {name: rows[:1] for name, rows in made.items()} | {"boxes": np.array([[[0, 0, 48, 32]]], np.float32)}
    specs = [TensorSpec(name=name, datatype="FP32", shape=array.shape) for name, array in given.items()]
    rule = PrototypeMasksPostprocess(objects=BoxPostprocess(labels=LABELS, threshold=0, box_form="corners", iou=0.5))
    image = PreparedImage(np.zeros((1, 1, 3), np.uint8), place, size)
    (segments,) = load_finder(rule, specs, Path("bundle")).find(given, [image], SEEN)
    assert not isinstance(segments, EngineError)
    pixels = segments[0].mask.to_array()
    inner = slice(10, -10)  # at the edges, the prototypes next to the image count as well
    np.testing.assert_array_equal(pixels[:, inner], expected[:, inner])
    assert 0.2 < expected[:, inner].mean() < 0.8


def test_an_object_without_a_pixel_is_left_out_and_a_large_one_is_whole() -> None:
    made = outputs(4, 3)
    made["boxes"][:] = np.array([[-99, -99, 999, 999], [200, 200, 300, 300], [10, 10, 10.001, 10.001]], np.float32)
    made["coefficients"][:], made["prototypes"][:] = 1, 1
    rows = {"scores": np.full((len(IMAGES), 3), 0.9, np.float32), "classes": np.zeros((len(IMAGES), 3), np.float32)}
    rule = PrototypeMasksPostprocess(objects=ListedPostprocess(labels=LABELS))
    for found, (_, size) in zip(find(rule, made | rows), IMAGES, strict=True):
        (segment,) = found
        assert segment.mask.to_array().all()
        assert segment.mask.size == size


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("where", "what"), [("scores", "scores and boxes"), ("coefficients", "masks"), ("prototypes", "masks")]
)
def test_an_image_without_numbers_fails_alone(where: str, what: str, value: float) -> None:
    made = outputs(5, 4)
    rule = PrototypeMasksPostprocess(objects=BoxPostprocess(labels=LABELS, threshold=0, box_form="centre", iou=0.5))
    good = find(rule, made)
    made[where][1, 0] = value
    first, second, *others = find(rule, made)
    assert (first, others) == (good[0], good[2:])
    assert f"NaN or an infinity where {what} belong" in str(second)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"prototypes": ("batch", 5, 40)}, r"'prototypes' of the shape \[batch, prototypes, height, width\], got"),
        ({"coefficients": ("batch", 9, 4)}, r"'coefficients' of the shape \[batch, candidates, 5\], got"),
        ({"boxes": ("batch", 9, 5)}, r"'boxes' of the shape \[batch, candidates, 4\], got"),
        ({"scores": ("batch", 9, 3)}, r"'scores' of the shape \[batch, candidates, 2\], got"),
    ],
)
def test_a_network_of_another_form_is_refused(shapes: dict[str, tuple[Any, ...]], message: str) -> None:
    fitting: dict[str, tuple[Any, ...]] = {
        "boxes": ("batch", 9, 4),
        "scores": ("batch", 9, 2),
        "coefficients": ("batch", 9, 5),
        "prototypes": ("batch", 5, 8, 12),
    }
    rule = PrototypeMasksPostprocess(objects=BoxPostprocess(labels=LABELS, box_form="centre", iou=0.5))

    def specs(given: dict[str, tuple[Any, ...]]) -> list[TensorSpec]:
        return [TensorSpec(name=name, datatype="FP32", shape=shape) for name, shape in given.items()]

    load_finder(rule, specs(fitting), Path("bundle"))
    with pytest.raises(BundleError, match=message):
        load_finder(rule, specs(fitting | shapes), Path("bundle"))


def test_masks_of_oriented_boxes_are_refused() -> None:
    with pytest.raises(ValidationError, match="masks are cut at boxes along the image's edges, got oriented ones"):
        PrototypeMasksPostprocess(objects=ListedPostprocess(labels=LABELS, box_form="oriented"))
