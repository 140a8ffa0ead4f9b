"""Where an image lands, with transformers' own resizing and cropping rules for the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers.image_transforms import center_crop, get_resize_output_image_size
from transformers.image_utils import ChannelDimension
from transformers.models.detr import image_processing_detr
from transformers.models.maskformer import image_processing_maskformer
from transformers.models.vilt import image_processing_vilt
from transformers.models.yolos import image_processing_yolos

from tundish.errors import InvalidInputError
from tundish.manifest import EdgeRangeResize, ImagePreprocess, LineResize, Resize, ShortestEdgeResize, StretchResize
from tundish.tasks.image_geometry import MAX_EDGE, window

edges = st.integers(1, 3000)
small_edges = st.integers(1, 40)


def rule(resize: Resize | None, crop: tuple[int, int] | None) -> ImagePreprocess:
    return ImagePreprocess(resize=resize, crop=crop, rescale=1 / 255, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def blank(height: int, width: int) -> NDArray[np.uint8]:
    """An image of any size that takes no memory."""
    return np.broadcast_to(np.uint8(0), (height, width, 3))


def cropped_by_transformers(height: int, width: int, crop: tuple[int, int]) -> NDArray[Any]:
    """The crop of an image whose every pixel is its own number, from 1; 0 is padding."""
    image = np.arange(1, height * width + 1).reshape(height, width, 1)
    cropped: NDArray[Any] = center_crop(image, crop, input_data_format=ChannelDimension.LAST)
    return cropped[:, :, 0]


def cropped_by_window(height: int, width: int, crop: tuple[int, int], top: int, left: int) -> NDArray[Any]:
    rows, columns = top + np.arange(crop[0])[:, np.newaxis], left + np.arange(crop[1])
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return np.where(inside, rows * width + columns + 1, 0)


@settings(max_examples=400, deadline=None)
@given(height=edges, width=edges, length=st.integers(1, 600))
@example(height=500, width=375, length=256)
@example(height=1, width=3000, length=21)
def test_the_shortest_edge_is_resized_as_transformers_does(height: int, width: int, length: int) -> None:
    expected = get_resize_output_image_size(
        blank(height, width), length, default_to_square=False, input_data_format=ChannelDimension.LAST
    )
    if max(expected) > MAX_EDGE:
        with pytest.raises(InvalidInputError, match="too long and thin"):
            window(rule(ShortestEdgeResize(length=length), (1, 1)), height, width)
        return
    landed = window(rule(ShortestEdgeResize(length=length), (1, 1)), height, width)
    assert (landed.resized_height, landed.resized_width) == expected


@settings(max_examples=400, deadline=None)
@given(height=small_edges, width=small_edges, crop=st.tuples(small_edges, small_edges))
@example(height=5, width=5, crop=(8, 8))
@example(height=4, width=5, crop=(7, 2))
def test_the_crop_is_where_transformers_puts_it(height: int, width: int, crop: tuple[int, int]) -> None:
    landed = window(rule(None, crop), height, width)
    assert (landed.resized_height, landed.resized_width) == (height, width)
    np.testing.assert_array_equal(
        cropped_by_window(height, width, crop, landed.top, landed.left), cropped_by_transformers(height, width, crop)
    )


@settings(max_examples=200, deadline=None)
@given(height=small_edges, width=small_edges, length=st.integers(1, 12), crop=st.tuples(small_edges, small_edges))
def test_a_resize_and_a_crop_follow_each_other(height: int, width: int, length: int, crop: tuple[int, int]) -> None:
    landed = window(rule(ShortestEdgeResize(length=length), crop), height, width)
    resized = get_resize_output_image_size(
        blank(height, width), length, default_to_square=False, input_data_format=ChannelDimension.LAST
    )
    assert (landed.resized_height, landed.resized_width) == resized
    np.testing.assert_array_equal(
        cropped_by_window(*resized, crop, landed.top, landed.left), cropped_by_transformers(*resized, crop)
    )


@given(height=edges, width=edges, size=st.tuples(edges, edges))
def test_a_stretch_ends_at_its_size_whatever_it_begins_with(height: int, width: int, size: tuple[int, int]) -> None:
    landed = window(rule(StretchResize(height=size[0], width=size[1]), None), height, width)
    assert (landed.resized_height, landed.resized_width, landed.top, landed.left) == (*size, 0, 0)


@pytest.mark.parametrize(
    ("resize", "height", "width", "fits"),
    [
        (ShortestEdgeResize(length=256), 100, 25_600, True),
        (ShortestEdgeResize(length=256), 100, 25_601, False),
        (ShortestEdgeResize(length=256), 25_601, 100, False),
        (ShortestEdgeResize(length=1), 1, MAX_EDGE, True),
        (ShortestEdgeResize(length=1), 2, MAX_EDGE + 1, False),
        (None, MAX_EDGE, 1, True),
        (None, MAX_EDGE + 1, 1, False),
        (StretchResize(height=8, width=8), 1, MAX_EDGE + 1, False),
    ],
)
def test_an_edge_beyond_the_limit_is_refused_by_name(
    resize: ShortestEdgeResize | StretchResize | None, height: int, width: int, fits: bool
) -> None:
    made = rule(resize, (8, 8))
    if fits:
        assert max(window(made, height, width)[:2]) <= MAX_EDGE
    else:
        with pytest.raises(InvalidInputError, match=f"{width} x {height} pixels is too long and thin"):
            window(made, height, width)


@settings(max_examples=600, deadline=None)
@given(height=edges, width=edges, length=st.integers(1, 900), share=st.integers(0, 900))
@example(height=480, width=640, length=800, share=533)
@example(height=1334, width=667, length=800, share=533)
@example(height=667, width=1334, length=800, share=533)
@example(height=800, width=1000, length=800, share=533)
@example(height=1000, width=800, length=800, share=533)
@example(height=3000, width=1, length=800, share=533)
def test_edges_within_bounds_are_resized_as_detr_and_yolos_do(height: int, width: int, length: int, share: int) -> None:
    longest = length + share
    rules = {
        image_processing_detr: ShortestEdgeResize(length=length, longest=longest),
        image_processing_yolos: ShortestEdgeResize(length=length, longest=longest, multiple_of=16),
    }
    for processor, resize in rules.items():
        expected = tuple(map(int, processor.get_size_with_aspect_ratio((height, width), length, longest)))
        if 0 in expected:
            with pytest.raises(InvalidInputError, match="too long and thin"):
                window(rule(resize, None), height, width)
            continue
        landed = window(rule(resize, None), height, width)
        assert landed == (*expected, 0, 0)


@settings(max_examples=300, deadline=None)
@given(height=edges, width=edges, length=st.integers(1, 900), share=st.integers(1, 900))
@example(height=480, width=640, length=800, share=533)
@example(height=640, width=479, length=640, share=1920)
@example(height=3000, width=1, length=800, share=533)
def test_edges_are_rounded_up_as_maskformer_does(height: int, width: int, length: int, share: int) -> None:
    longest = length + share
    resize = ShortestEdgeResize(length=length, longest=longest, multiple_of=32, rounding="up")
    expected = image_processing_maskformer.get_maskformer_resize_output_image_size(
        blank(height, width),
        length,
        longest,
        size_divisor=32,
        default_to_square=False,
        input_data_format="channels_last",
    )
    if 0 in expected:
        with pytest.raises(InvalidInputError, match="its shorter edge has no pixel left"):
            window(rule(resize, None), height, width)
    else:
        assert window(rule(resize, None), height, width) == (*expected, 0, 0)


DOCUMENT = EdgeRangeResize(shortest=736, longest=2000, enlarged=5888, multiple_of=32)


def resized_by_rapidocr(height: int, width: int) -> tuple[int, int]:
    """What its detector is given, where its own two resizes do not differ by their rounding in between."""
    ratio = max(1.0, 736 / min(height, width))
    return round(int(height * ratio) / 32) * 32, round(int(width * ratio) / 32) * 32


@settings(max_examples=300, deadline=None)
@given(height=st.integers(90, 2000), width=st.integers(90, 2000))
@example(height=736, width=5000 // 8)
def test_documents_are_resized_as_rapidocr_does(height: int, width: int) -> None:
    if max(height, width) > 8 * min(height, width):
        return
    place = window(rule(DOCUMENT, None), height, width)
    assert (place.resized_height, place.resized_width) == resized_by_rapidocr(height, width)


@settings(max_examples=300, deadline=None)
@given(height=st.integers(1, 65_000), width=st.integers(1, 65_000))
@example(height=1, width=65_000)
@example(height=65_000, width=7)
def test_documents_of_any_size_are_bounded(height: int, width: int) -> None:
    place = window(rule(DOCUMENT, None), height, width)
    edges = place.resized_height, place.resized_width
    assert all(edge > 0 and edge % 32 == 0 for edge in edges)
    assert max(edges) <= 5888
    if min(height, width) > 200 and max(height, width) < 3 * min(height, width):
        assert min(edges) >= 672
        assert edges[0] / edges[1] == pytest.approx(height / width, rel=0.06)


@settings(max_examples=300, deadline=None)
@given(
    height=edges, width=edges, length=st.integers(1, 900), share=st.integers(0, 900), multiple=st.sampled_from((1, 32))
)
@example(height=480, width=640, length=384, share=255, multiple=32)
@example(height=500, width=500, length=384, share=255, multiple=32)
@example(height=577, width=200, length=384, share=255, multiple=1)
@example(height=3000, width=1, length=384, share=255, multiple=32)
def test_edges_are_rounded_half_up_as_vilt_does(
    height: int, width: int, length: int, share: int, multiple: int
) -> None:
    longest = length + share
    resize = ShortestEdgeResize(length=length, longest=longest, multiple_of=multiple, rounding="half-up")
    expected = image_processing_vilt.get_resize_output_image_size(
        blank(height, width), length, longest, size_divisor=multiple, input_data_format="channels_last"
    )
    if 0 in expected:
        with pytest.raises(InvalidInputError, match="too long and thin"):
            window(rule(resize, None), height, width)
    else:
        assert window(rule(resize, None), height, width) == (*expected, 0, 0)


@pytest.mark.parametrize("resize", [DOCUMENT, LineResize(height=48, shortest=320, longest=3200)])
def test_images_of_texts_are_not_cropped(resize: Resize) -> None:
    with pytest.raises(ValueError, match=r"images of texts are not cropped, got the crop \[32, 32\]"):
        rule(resize, (32, 32))
