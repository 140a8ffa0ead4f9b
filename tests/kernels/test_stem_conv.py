"""stem_conv as ONNX Runtime's operator: bit for bit what its own give, on each instruction set."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.kernels import check_isas
from support.qlinear_conv import Conv, by_kernel, by_stock, model_of, random_stem, session_of

few = st.integers(0, 3)


def images_of(draw: np.random.Generator, conv: Conv, *shape: int) -> NDArray[np.float32]:
    """Whole pixels, values between two of them, middles of two, and what no image should hold."""
    batch, rows, columns = shape
    whole = draw.integers(-150, 400, (batch, 3, rows, columns)).astype(np.float32)
    kind = draw.random(whole.shape)
    between = whole + draw.uniform(-0.5, 0.5, whole.shape).astype(np.float32)
    values = np.select([kind < 0.1, kind < 0.3], [whole + np.float32(0.5), between], whole)
    made = values * np.broadcast_to(conv.constants["image_scale"], 3).reshape(1, 3, 1, 1)
    special = np.array([np.inf, -np.inf, 3e38, -3e38, 1e-45, -0.0], np.float32)
    strange = draw.random(whole.shape) < 0.01
    return np.where(strange, draw.choice(special, whole.shape), made).astype(np.float32)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(1, 40), st.integers(1, 90)),
    channels=st.integers(1, 120),
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    strides=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    pads=st.tuples(few, few, few, few),
)
def test_it_gives_the_bits_of_onnx_runtimes_own(
    seed: int,
    batch: int,
    size: tuple[int, int],
    channels: int,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
) -> None:
    padded = [length + pads[axis] + pads[axis + 2] for axis, length in enumerate(size)]
    if any(room < needed for room, needed in zip(padded, kernel, strict=True)):
        return
    draw = np.random.default_rng(seed)
    conv = random_stem(draw, channels, kernel, strides=list(strides), pads=list(pads))
    images = images_of(draw, conv, batch, *size)
    assert np.array_equal(by_kernel(conv, images), by_stock(conv, images))


def test_outputs_fill_the_bytes_so_that_bits_say_something() -> None:
    draw = np.random.default_rng(3)
    conv = random_stem(draw, 64, (3, 3), pads=[1] * 4)
    made = by_kernel(conv, images_of(draw, conv, 1, 30, 30))
    assert 0.01 < np.mean(made == 0) < 0.5
    assert 0.01 < np.mean(made == 255) < 0.5
    assert len(np.unique(made)) == 256


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_of_the_session_share_the_work(threads: int) -> None:
    draw = np.random.default_rng(4)
    conv = random_stem(draw, 48, (3, 3), strides=[2, 2], pads=[1] * 4)
    images = images_of(draw, conv, 3, 99, 17)
    assert np.array_equal(by_kernel(conv, images, threads=threads), by_stock(conv, images))


def test_one_scale_may_be_that_of_all_channels_of_the_image() -> None:
    draw = np.random.default_rng(5)
    conv = random_stem(draw, 20, (3, 3))
    conv.constants |= {"image_scale": np.float32(0.02), "image_zero_point": np.uint8(110)}
    images = images_of(draw, conv, 1, 9, 9)
    assert np.array_equal(by_kernel(conv, images), by_stock(conv, images))


def test_what_is_no_number_is_the_lowest_pixel() -> None:
    draw = np.random.default_rng(6)
    conv = random_stem(draw, 20, (3, 3))
    images = images_of(draw, conv, 1, 9, 40)
    images[0, :, 4, 5:30] = np.nan
    lowest = np.where(np.isnan(images), -np.inf, images).astype(np.float32)
    assert np.array_equal(by_kernel(conv, images), by_kernel(conv, lowest))


def test_no_images_give_none() -> None:
    conv = random_stem(np.random.default_rng(6), 20, (3, 3))
    assert by_kernel(conv, np.zeros((0, 3, 9, 9), np.float32)).shape == (0, 7, 7, 20)


def test_all_instruction_sets_give_the_same_bits(tmp_path: Path) -> None:
    draw, cases = np.random.default_rng(7), []
    for channels in (3, 16, 24, 32, 96, 113):
        for kernel, stride in (((3, 3), 2), ((7, 7), 2), ((4, 4), 4)):
            conv = random_stem(draw, channels, kernel, strides=[stride] * 2, pads=[1] * 4)
            images = images_of(draw, conv, 2, 19, 43)
            cases.append((model_of(conv, stock=False), images, by_stock(conv, images)))
    check_isas(cases, tmp_path)


def changed(**constants: Any) -> Conv:
    conv = random_stem(np.random.default_rng(8), 20, (3, 3))
    conv.constants |= constants
    return conv


@pytest.mark.parametrize(
    ("conv", "reason"),
    [
        (changed(w=np.zeros((20, 4, 3, 3), np.int8)), "w must be [channels, 3, rows, columns]"),
        (changed(image_scale=np.ones(2, np.float32)), "image_scale must be one number or 3, got 2"),
        (changed(image_zero_point=np.zeros(4, np.uint8)), "image_zero_point must be one number or 3, got 4"),
        (changed(image_scale=np.float32(0)), "pixel_scales[0] must be positive and finite, got 0"),
        (changed(image_scale=np.array([1, np.nan, 1], np.float32)), "pixel_scales[1] must be positive and finite"),
        (changed(B=np.zeros(3, np.int32)), "B must be 20 numbers, got 3"),
    ],
)
def test_a_session_is_not_made_of_what_it_cannot_compute(conv: Conv, reason: str) -> None:
    with pytest.raises(Exception, match=re.escape(reason)):
        session_of(model_of(conv, stock=False))


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1, 4, 9, 9), "image must be [batch, 3, rows, columns]"),
        ((3, 9, 9), "image must be [batch, 3, rows, columns]"),
        ((1, 3, 9, 2), "the image must be as large as the kernel, got 9 x 2"),
    ],
)
def test_a_wrong_image_costs_only_its_own_run(shape: tuple[int, ...], reason: str) -> None:
    model = model_of(changed(), stock=False)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    session = session_of(model)
    with pytest.raises(Exception, match=re.escape(reason)):
        session.run(None, {"x": np.zeros(shape, np.float32)})
    (made,) = session.run(None, {"x": np.zeros((1, 3, 9, 9), np.float32)})
    assert np.asarray(made).shape == (1, 7, 7, 20)
