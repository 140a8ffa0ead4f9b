"""depthwise_conv as ONNX Runtime's operator: bit for bit what its own gives, on each instruction set."""

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
from support.qlinear_conv import Conv, by_kernel, by_stock, model_of, random_conv, session_of

sizes = st.integers(1, 20)
few = st.integers(0, 3)


def images_of(draw: np.random.Generator, *shape: int) -> NDArray[np.uint8]:
    return draw.integers(0, 256, shape, np.uint8)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 3),
    size=st.tuples(sizes, sizes),
    channels=st.integers(2, 150),
    kernel=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    pads=st.tuples(few, few, few, few),
)
def test_it_gives_the_bits_of_onnx_runtimes_own(
    seed: int,
    batch: int,
    size: tuple[int, int],
    channels: int,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, int, int, int],
) -> None:
    padded = [length + pads[axis] + pads[axis + 2] for axis, length in enumerate(size)]
    reach = [(length - 1) * dilation + 1 for length, dilation in zip(kernel, dilations, strict=True)]
    if any(room < needed for room, needed in zip(padded, reach, strict=True)):
        return
    draw = np.random.default_rng(seed)
    conv = random_conv(draw, channels, kernel, strides=list(strides), dilations=list(dilations), pads=list(pads))
    images = images_of(draw, batch, *size, channels)
    made = by_kernel(conv, images)
    assert np.array_equal(made, by_stock(conv, images))


def test_outputs_fill_the_bytes_so_that_bits_say_something() -> None:
    draw = np.random.default_rng(3)
    made = by_kernel(random_conv(draw, 64, (3, 3), pads=[1] * 4), images_of(draw, 1, 30, 30, 64))
    assert 0.01 < np.mean(made == 0) < 0.5
    assert 0.01 < np.mean(made == 255) < 0.5
    assert len(np.unique(made)) == 256


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_of_the_session_share_the_work(threads: int) -> None:
    draw = np.random.default_rng(4)
    conv, images = random_conv(draw, 48, (3, 3), pads=[1] * 4), images_of(draw, 3, 50, 17, 48)
    assert np.array_equal(by_kernel(conv, images, threads=threads), by_stock(conv, images))


def test_one_scale_may_be_that_of_all_filters() -> None:
    draw = np.random.default_rng(5)
    conv = random_conv(draw, 20, (3, 3))
    conv.constants |= {"w_scale": np.float32(0.01), "w_zero_point": np.int8(0)}
    images = images_of(draw, 1, 9, 9, 20)
    assert np.array_equal(by_kernel(conv, images), by_stock(conv, images))


def test_no_images_give_none() -> None:
    conv = random_conv(np.random.default_rng(6), 20, (3, 3))
    assert by_kernel(conv, np.zeros((0, 9, 9, 20), np.uint8)).shape == (0, 7, 7, 20)


def test_all_instruction_sets_give_the_same_bits(tmp_path: Path) -> None:
    draw, cases = np.random.default_rng(7), []
    for channels in (3, 16, 24, 32, 96, 144, 200):
        for kernel, stride in (((3, 3), 1), ((5, 5), 2), ((3, 7), 1)):
            conv = random_conv(draw, channels, kernel, strides=[stride] * 2, pads=[1] * 4)
            images = images_of(draw, 2, 19, 23, channels)
            cases.append((model_of(conv, stock=False), images, by_stock(conv, images)))
    check_isas(cases, tmp_path)


def changed(**constants: Any) -> Conv:
    conv = random_conv(np.random.default_rng(8), 20, (3, 3))
    conv.constants |= constants
    return conv


@pytest.mark.parametrize(
    ("conv", "reason"),
    [
        (changed(w=np.zeros((20, 2, 3, 3), np.int8)), "w must be [channels, 1, rows, columns]"),
        (changed(w=np.zeros((20, 1, 3), np.int8)), "w must be [channels, 1, rows, columns]"),
        (changed(w=np.zeros((0, 1, 3, 3), np.int8)), "w must be [channels, 1, rows, columns]"),
        (changed(w_zero_point=np.full(20, 3, np.int8)), "w_zero_point must be 0, got 3"),
        (changed(w_scale=np.ones(7, np.float32)), "w_scale must be one number or 20, got 7"),
        (changed(x_scale=np.ones(2, np.float32)), "x_scale must be one number, got 2"),
        (changed(y_zero_point=np.zeros(2, np.uint8)), "y_zero_point must be one number, got 2"),
        (changed(B=np.zeros(19, np.int32)), "B must be 20 numbers, got 19"),
        (changed(B=np.full(20, 2**31 - 1, np.int32)), "the sums of channel 0 must fit 32 bits, got"),
        (changed(y_scale=np.float32(0)), "scales[0] must be positive and finite, got inf"),
        (changed(x_scale=np.float32(np.nan)), "scales[0] must be positive and finite, got nan"),
    ],
)
def test_a_session_is_not_made_of_what_it_cannot_compute(conv: Conv, reason: str) -> None:
    with pytest.raises(Exception, match=re.escape(reason)):
        session_of(model_of(conv, stock=False))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"strides": [1]}, "strides must be 2 numbers, got 1"),
        ({"pads": [1, 1]}, "pads must be 4 numbers, got 2"),
        ({"strides": [0, 1]}, "rows.stride must be between 1 and 1048576, got 0"),
        ({"dilations": [1, -1]}, "columns.dilation must be between 1 and 1048576, got -1"),
        ({"pads": [0, 0, 0, -1]}, "columns.after must be between 0 and 1048576, got -1"),
    ],
)
def test_a_session_is_not_made_of_wrong_attributes(settings: dict[str, list[int]], reason: str) -> None:
    conv = random_conv(np.random.default_rng(8), 20, (3, 3), **settings)
    with pytest.raises(Exception, match=re.escape(reason)):
        session_of(model_of(conv, stock=False))


def test_an_attribute_may_not_be_left_out() -> None:
    model = model_of(changed(), stock=False)
    del model.graph.node[0].attribute[:]
    with pytest.raises(Exception, match="strides must be 2 numbers, got none"):
        session_of(model)


def test_filters_may_not_be_computed() -> None:
    model = model_of(changed(), stock=False)
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "w")
    model.graph.initializer.remove(weights)
    model.graph.input.add(name="w").type.tensor_type.elem_type = weights.data_type
    with pytest.raises(Exception, match="w must be a constant, got one that is computed"):
        session_of(model)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1, 9, 9, 19), "x must be [batch, rows, columns, 20]"),
        ((1, 9, 9), "x must be [batch, rows, columns, 20]"),
        ((1, 2, 9, 20), "the image must be as large as the kernel, got 2 x 9"),
        ((1, 9, 0, 20), "the image must be as large as the kernel, got 9 x 0"),
    ],
)
def test_a_wrong_image_costs_only_its_own_run(shape: tuple[int, ...], reason: str) -> None:
    model = model_of(changed(), stock=False)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    session = session_of(model)
    with pytest.raises(Exception, match=re.escape(reason)):
        session.run(None, {"x": np.zeros(shape, np.uint8)})
    (made,) = session.run(None, {"x": np.zeros((1, 9, 9, 20), np.uint8)})
    assert np.asarray(made).shape == (1, 7, 7, 20)
