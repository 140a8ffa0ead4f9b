"""dense_conv as ONNX Runtime's operator: bit for bit what its own gives, on each instruction set."""

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
from support.qlinear_conv import Conv, by_kernel, by_stock, model_of, random_dense, session_of

few = st.integers(0, 2)
# Of both: what registers and tiles hold, and what they do not.
channels = st.sampled_from([1, 3, 4, 7, 8, 16, 17, 24, 31, 32, 40, 48, 64, 65, 96, 100, 128, 144])


def images_of(draw: np.random.Generator, *shape: int) -> NDArray[np.uint8]:
    return draw.integers(0, 256, shape, np.uint8)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(1, 20), st.integers(1, 40)),
    reads=channels,
    makes=channels,
    kernel=st.sampled_from([(1, 1), (3, 3), (1, 3), (3, 1), (2, 2), (5, 4)]),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    pads=st.one_of(st.just((0, 0, 0, 0)), st.tuples(few, few, few, few)),
)
def test_it_gives_the_bits_of_onnx_runtimes_own(
    seed: int,
    batch: int,
    size: tuple[int, int],
    reads: int,
    makes: int,
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
    sides = {"strides": list(strides), "dilations": list(dilations), "pads": list(pads)}
    conv = random_dense(draw, reads, makes, kernel, **sides)
    images = images_of(draw, batch, *size, reads)
    assert np.array_equal(by_kernel(conv, images), by_stock(conv, images))


def test_outputs_fill_the_bytes_so_that_bits_say_something() -> None:
    draw = np.random.default_rng(3)
    made = by_kernel(random_dense(draw, 64, 64, (3, 3), pads=[1] * 4), images_of(draw, 1, 30, 30, 64))
    assert 0.01 < np.mean(made == 0) < 0.5
    assert 0.01 < np.mean(made == 255) < 0.5
    assert len(np.unique(made)) == 256


@pytest.mark.parametrize("zero", [0, 1, 255])
def test_zeros_of_the_output(zero: int) -> None:
    draw = np.random.default_rng(4)
    conv = random_dense(draw, 32, 112, (1, 1))
    conv.constants["y_zero_point"] = np.uint8(zero)
    images = images_of(draw, 1, 9, 9, 32)
    assert np.array_equal(by_kernel(conv, images), by_stock(conv, images))


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_of_the_session_share_the_work(threads: int) -> None:
    draw = np.random.default_rng(4)
    for kernel, pads in (((3, 3), [1] * 4), ((1, 1), [0] * 4)):
        conv, images = random_dense(draw, 48, 80, kernel, pads=pads), images_of(draw, 3, 50, 17, 48)
        assert np.array_equal(by_kernel(conv, images, threads=threads), by_stock(conv, images))


def test_more_positions_than_are_computed_together() -> None:
    draw = np.random.default_rng(5)
    conv, images = random_dense(draw, 20, 48, (1, 1)), images_of(draw, 1, 8, 97, 20)
    assert np.array_equal(by_kernel(conv, images), by_stock(conv, images))


def test_no_images_give_none() -> None:
    conv = random_dense(np.random.default_rng(6), 12, 20, (3, 3))
    assert by_kernel(conv, np.zeros((0, 9, 9, 12), np.uint8)).shape == (0, 7, 7, 20)


def test_all_instruction_sets_give_the_same_bits(tmp_path: Path) -> None:
    draw, cases = np.random.default_rng(7), []
    for reads, makes in ((3, 16), (16, 96), (24, 144), (144, 24), (200, 200), (5, 7)):
        for kernel, stride in (((1, 1), 1), ((3, 3), 1), ((3, 3), 2), ((1, 1), 2)):
            pads = [kernel[0] // 2] * 4
            conv = random_dense(draw, reads, makes, kernel, strides=[stride] * 2, pads=pads)
            images = images_of(draw, 2, 19, 23, reads)
            cases.append((model_of(conv, stock=False), images, by_stock(conv, images)))
    check_isas(cases, tmp_path)


def changed(**constants: Any) -> Conv:
    conv = random_dense(np.random.default_rng(8), 12, 20, (3, 3))
    conv.constants |= constants
    return conv


@pytest.mark.parametrize(
    ("conv", "reason"),
    [
        (changed(w=np.zeros((20, 12, 3), np.int8)), "w must be [channels, reads, rows, columns]"),
        (changed(w=np.zeros((20, 0, 3, 3), np.int8)), "w must be [channels, reads, rows, columns]"),
        (changed(w_zero_point=np.full(20, 3, np.int8)), "w_zero_point must be 0, got 3"),
        (changed(B=np.zeros(19, np.int32)), "B must be 20 numbers, got 19"),
        (changed(B=np.full(20, 2**31 - 1, np.int32)), "the sums of channel 0 must fit 32 bits, got"),
        (changed(y_scale=np.float32(0)), "scales[0] must be positive and finite, got inf"),
    ],
)
def test_a_session_is_not_made_of_what_it_cannot_compute(conv: Conv, reason: str) -> None:
    with pytest.raises(Exception, match=re.escape(reason)):
        session_of(model_of(conv, stock=False))


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1, 9, 9, 20), "x must be [batch, rows, columns, 12]"),
        ((1, 9, 12), "x must be [batch, rows, columns, 12]"),
        ((1, 2, 9, 12), "the image must be as large as the kernel, got 2 x 9"),
    ],
)
def test_a_wrong_image_costs_only_its_own_run(shape: tuple[int, ...], reason: str) -> None:
    model = model_of(changed(), stock=False)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    session = session_of(model)
    with pytest.raises(Exception, match=re.escape(reason)):
        session.run(None, {"x": np.zeros(shape, np.uint8)})
    (made,) = session.run(None, {"x": np.zeros((1, 9, 9, 12), np.uint8)})
    assert np.asarray(made).shape == (1, 7, 7, 20)
