"""Letterboxed images, with Pillow's own resizing on a grey ground for the oracle."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import ValidationError

from tundish.errors import InvalidInputError
from tundish.manifest import BoxPostprocess, ImagePreprocess, LetterboxResize, ModelSpec, TensorSpec
from tundish.tasks.image_geometry import MAX_EDGE, window
from tundish.tasks.image_reading import ImageReader
from tundish_exporters.sources.pillow_images import processed_image

edges = st.integers(1, 90)


def rule(height: int, width: int, placement: Any = "centre", **others: Any) -> ImagePreprocess:
    resize = LetterboxResize(height=height, width=width, padding=114, placement=placement)
    given: dict[str, Any] = {"crop": None, "rescale": 1.0, "mean": (0.0,) * 3, "std": (1.0,) * 3, **others}
    return ImagePreprocess(resize=resize, **given)


def read(made: ImagePreprocess, data: bytes) -> NDArray[np.float32]:
    """The network's input by the runtime."""
    spec = ModelSpec(
        task="object-detection",
        inputs=(TensorSpec(name="images", datatype="FP32", shape=("batch", 3, *made.size)),),
        outputs=(TensorSpec(name="boxes", datatype="FP32", shape=("batch", 9, 4)),),
        preprocess=made,
        postprocess=BoxPostprocess(labels=("part",), box_form="centre", iou=0.5),
    )
    reader = ImageReader(spec, made)
    return np.asarray(reader.collate([reader.read(data)])["images"])


def noise(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8))


def as_file(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


@settings(max_examples=80, deadline=None)
@given(image=st.tuples(edges, edges), size=st.tuples(edges, edges), placement=st.sampled_from(["centre", "top-left"]))
def test_pixels_are_pillows_on_grey(image: tuple[int, int], size: tuple[int, int], placement: str) -> None:
    picture = noise(*image)
    made = rule(*size, placement)
    ratio = min(size[0] / image[0], size[1] / image[1])
    height, width = (max(1, round(edge * ratio)) for edge in image)
    # Pillow's own letterbox, which puts odd pixels where Ultralytics' does.
    centering = (0.5, 0.5) if placement == "centre" else (0.0, 0.0)
    resized = picture.resize((width, height), Image.Resampling.BILINEAR)
    top, left = (
        int((whole - part) * share) for whole, part, share in zip(size, (height, width), centering, strict=True)
    )
    expected = Image.new("RGB", size[::-1], (114, 114, 114))
    expected.paste(resized, (left, top))
    for actual in (read(made, as_file(picture)), processed_image(made, as_file(picture))):
        np.testing.assert_array_equal(actual[0].transpose(1, 2, 0), np.asarray(expected, np.float32))


def test_the_ground_is_normalised_as_every_pixel_and_turned_with_the_channels() -> None:
    made = rule(8, 16, rescale=1 / 255, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 1.0), color_order="BGR")
    pixels = read(made, as_file(Image.new("RGB", (8, 8), (250, 100, 10))))[0]
    np.testing.assert_allclose(
        pixels[:, 0, 0], [(114 / 255 - m) / s for m, s in ((0.1, 0.5), (0.2, 0.25), (0.3, 1))], rtol=1e-5
    )
    np.testing.assert_allclose(
        pixels[:, 4, 8], [(10 / 255 - 0.1) / 0.5, (100 / 255 - 0.2) / 0.25, 250 / 255 - 0.3], rtol=1e-5
    )


def test_pillow_contains_agrees_on_the_size_of_what_lies_inside() -> None:
    for image in ((480, 640), (640, 480), (97, 61), (33, 200), (1080, 1920)):
        landed = window(rule(416, 416), *image)
        contained = ImageOps.contain(Image.new("L", image[::-1]), (416, 416))
        assert (landed.resized_height, landed.resized_width) == contained.size[::-1]


def test_an_image_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="too long and thin"):
        window(rule(64, 64), 1, MAX_EDGE + 1)


def test_a_letterbox_is_not_cropped_and_its_ground_is_a_pixel() -> None:
    with pytest.raises(ValidationError, match=r"is not cropped, got the crop \[4, 4\]"):
        rule(8, 8, crop=(4, 4))
    with pytest.raises(ValidationError, match="less than or equal to 255"):
        LetterboxResize(height=8, width=8, padding=256)
