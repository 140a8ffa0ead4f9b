"""resize_normalize without antialiasing, against PyTorch, OpenCV and the written formula in NumPy."""

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.camera_images import Pixels, camera_image

from tundish_kernels import ImageOutput, Window, resize_normalize

PIXELS = ImageOutput(dtype="uint8", layout="hwc")
sizes = st.tuples(st.integers(1, 150), st.integers(1, 150))


def resized(image: Pixels, height: int, width: int, filter_name: Any) -> NDArray[np.int64]:
    window = Window.stretch((height, width))
    output = resize_normalize(
        [image], [window], size=(height, width), filter=filter_name, antialias=False, output=PIXELS
    )
    return np.asarray(output[0], np.int64)


def torch_resized(image: Pixels, height: int, width: int, mode: str, dtype: torch.dtype) -> NDArray[Any]:
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].to(dtype)
    output = torch.nn.functional.interpolate(tensor, (height, width), mode=mode, align_corners=False)
    return np.asarray(output[0].permute(1, 2, 0).numpy())


def linear_axis(source: int, length: int, bits: int, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Left pixel and weight of the right one, in exact arithmetic."""
    first, weights = [], []
    for x in range(length):
        position = max(Fraction(0), (x + Fraction(1, 2)) * Fraction(source, length) - Fraction(1, 2))
        left = min(int(position), source - 1)
        weight = int((position - left) * 2**bits + Fraction(1, 2)) if left + 1 < source else 0
        first.append(left)
        weights.append(min(weight, most))
    return np.array(first), np.array(weights)


def bilinear_by_the_formula(image: Pixels, height: int, width: int) -> NDArray[np.int64]:
    """What pixel.h says of blend_rows and blend_columns."""
    pixels = image.astype(np.int64)
    rows, down = linear_axis(image.shape[0], height, 15, 2**15 - 1)
    columns, right = linear_axis(image.shape[1], width, 14, 2**14)
    upper, lower = pixels[rows], pixels[np.minimum(rows + 1, image.shape[0] - 1)]
    blended = 128 * upper + 64 + ((128 * (lower - upper) * down[:, None, None] + 2**14) >> 15)
    left, next_to_it = blended[:, columns], blended[:, np.minimum(columns + 1, image.shape[1] - 1)]
    return np.asarray((left * (2**14 - right)[:, None] + next_to_it * right[:, None]) >> 21)


@settings(max_examples=300, deadline=None)
@given(source=sizes, target=sizes, seed=st.integers(0, 2**32))
@example(source=(90, 150), target=(30, 50), seed=0)  # whole steps, without weights
@example(source=(90, 149), target=(30, 50), seed=0)
@example(source=(60, 100), target=(30, 50), seed=0)
@example(source=(30, 50), target=(60, 100), seed=1)
@example(source=(1, 1), target=(9, 70), seed=1)
def test_bilinear(source: tuple[int, int], target: tuple[int, int], seed: int) -> None:
    image = camera_image("rgb", *source, seed)
    output = resized(image, *target, "bilinear")
    if source != target:
        np.testing.assert_array_equal(output, bilinear_by_the_formula(image, *target))
    exact = torch_resized(image, *target, "bilinear", torch.float64)
    assert np.abs(output - exact).max() <= 0.52
    of_bytes = torch_resized(image, *target, "bilinear", torch.uint8)
    assert np.abs(output - of_bytes).max() <= 1


@pytest.mark.parametrize(("source", "target"), [((1080, 1920), (360, 640)), ((720, 1280), (360, 640))])
def test_bilinear_equals_opencv_where_weights_are_a_half_or_none(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    image = camera_image("rgb", *source)
    expected = cv2.resize(image, (target[1], target[0]), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(resized(image, *target, "bilinear"), expected)


def cubic_matrix(source: int, length: int) -> NDArray[np.int64]:
    """Keys' weights (a = -0.75) of each output pixel in units of 2^-22; the outermost pixel goes on for ever."""
    a = -0.75
    matrix = np.zeros((length, source), np.int64)
    for x in range(length):
        position = (x + 0.5) * (source / length) - 0.5
        for tap in range(int(np.floor(position)) - 1, int(np.floor(position)) + 3):
            t = abs(tap - position)
            near = ((a + 2) * t - (a + 3)) * t * t + 1
            far = (((t - 5) * t + 8) * t - 4) * a
            weight = (near if t < 1 else far if t < 2 else 0.0) * 2**22
            matrix[x, min(max(tap, 0), source - 1)] += int(weight + (0.5 if weight >= 0 else -0.5))
    return matrix


def bicubic_by_the_formula(image: Pixels, height: int, width: int) -> NDArray[np.int64]:
    """Width, then height, each rounded to uint8; an axis that keeps its length is not touched."""
    pixels = image.astype(np.int64)
    if width != image.shape[1]:
        pixels = np.einsum("xs,ysc->yxc", cubic_matrix(image.shape[1], width), pixels)
        pixels = np.clip((pixels + 2**21) >> 22, 0, 255)
    if height != image.shape[0]:
        pixels = np.einsum("ys,sxc->yxc", cubic_matrix(image.shape[0], height), pixels)
        pixels = np.clip((pixels + 2**21) >> 22, 0, 255)
    return pixels


@settings(max_examples=150, deadline=None)
@given(source=sizes, target=sizes, seed=st.integers(0, 2**32))
@example(source=(1, 1), target=(9, 70), seed=1)
@example(source=(2, 3), target=(70, 80), seed=1)
def test_bicubic(source: tuple[int, int], target: tuple[int, int], seed: int) -> None:
    image = camera_image("rgb", *source, seed)
    output = resized(image, *target, "bicubic")
    np.testing.assert_array_equal(output, bicubic_by_the_formula(image, *target))
    # PyTorch rounds weights to 16 bits, so that its first pass may differ by one and its second by two.
    of_bytes = torch_resized(image, *target, "bicubic", torch.uint8)
    assert np.abs(output - of_bytes).max() <= 2


@pytest.mark.parametrize(("source", "target"), [((480, 640), (224, 299)), ((100, 130), (333, 301))])
def test_bicubic_equals_pytorchs_but_for_a_fiftieth(source: tuple[int, int], target: tuple[int, int]) -> None:
    image = camera_image("rgb", *source)
    differences = resized(image, *target, "bicubic") != torch_resized(image, *target, "bicubic", torch.uint8)
    assert differences.mean() < 0.02


def test_bicubic_of_one_axis_is_the_exact_value_rounded() -> None:
    image = camera_image("rgb", 40, 333)
    exact = torch_resized(image, 40, 100, "bicubic", torch.float64).clip(0, 255)
    assert np.abs(resized(image, 40, 100, "bicubic") - exact).max() <= 0.5001


@pytest.mark.parametrize("filter_name", ["bilinear", "bicubic"])
def test_a_flat_image_stays_flat(filter_name: Any) -> None:
    for value in (0, 1, 127, 254, 255):
        image = np.full((57, 91, 3), value, np.uint8)
        assert np.all(resized(image, 200, 33, filter_name) == value)


def test_nearest_knows_no_antialiasing() -> None:
    image = camera_image("rgb", 100, 77)
    window = Window.stretch((31, 64))
    both = [
        resize_normalize([image], [window], size=(31, 64), filter="nearest", antialias=antialias)
        for antialias in (False, True)
    ]
    np.testing.assert_array_equal(both[0], both[1])
