"""quantized_linear as ONNX Runtime's operators: the bits of the contract, on each instruction set."""

from __future__ import annotations

from math import erf, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kernels import check_isas
from support.transformer_operators import Floats, Layer, layer_model, linear, normalising, outputs_of, random_layer

sizes = st.sampled_from([1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 128, 200])


def rows_of(draw: np.random.Generator, *shape: int) -> Floats:
    return draw.normal(draw.normal(), 2, shape).astype(np.float32)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 40), inputs=sizes, outputs=sizes)
def test_it_gives_the_bits_of_the_contract(seed: int, rows: int, inputs: int, outputs: int) -> None:
    draw = np.random.default_rng(seed)
    layer, x = random_layer(draw, inputs, outputs), rows_of(draw, rows, inputs)
    assert np.array_equal(outputs_of(layer_model(layer), x=x), linear(layer, x))


def test_it_is_near_the_product_in_floats() -> None:
    draw = np.random.default_rng(1)
    layer, x = random_layer(draw, 384, 100), rows_of(draw, 50, 384)
    given = layer.constants
    floats = x * given["factors"] @ (given["w"] * given["w_scale"]) + given["B"]
    error = outputs_of(layer_model(layer), x=x) - floats
    assert np.sqrt(np.mean(error**2)) < 0.01 * np.sqrt(np.mean(floats**2))


def test_a_row_is_the_same_whatever_stands_beside_it() -> None:
    """A step for the whole batch, as ONNX Runtime's own layers have, makes an answer depend on who else asks."""
    draw = np.random.default_rng(2)
    layer, x = normalising(random_layer(draw, 64, 64, gelu=True), draw), rows_of(draw, 3, 7, 64)
    x[1] *= 100
    alone = [outputs_of(layer_model(layer), x=each[None]) for each in x]
    assert np.array_equal(outputs_of(layer_model(layer), x=x), np.concatenate(alone))


def test_gelu_is_that_of_the_error_function() -> None:
    draw = np.random.default_rng(3)
    layer, x = random_layer(draw, 40, 100), rows_of(draw, 500, 40)
    x[::50] *= 30
    before = outputs_of(layer_model(layer), x=x).astype(np.float64)
    expected = before * 0.5 * (1 + np.vectorize(erf)(before / sqrt(2)))
    made = outputs_of(layer_model(Layer(layer.constants, gelu=True)), x=x)
    assert before.min() < -6
    assert before.max() > 6
    assert np.abs((made - expected) / np.maximum(1, np.abs(expected))).max() < 1.2e-6


@pytest.mark.parametrize("width", [1, 15, 16, 33, 384])
@pytest.mark.parametrize("epsilon", [1e-12, 1e-5])
def test_a_normalisation_is_that_of_the_sum(width: int, epsilon: float) -> None:
    draw = np.random.default_rng(4)
    layer, x = random_layer(draw, width, width), rows_of(draw, 20, width)
    total = outputs_of(layer_model(layer), x=x).astype(np.float64) + x
    normalised = normalising(layer, draw, epsilon)
    off = total - total.mean(axis=-1, keepdims=True)
    scaled = off / np.sqrt((off**2).mean(axis=-1, keepdims=True) + normalised.constants["epsilon"])
    expected = scaled * normalised.constants["gamma"] + normalised.constants["beta"]
    assert np.abs(outputs_of(layer_model(normalised), x=x) - expected).max() < 2e-5


def test_values_that_leave_nothing_to_round() -> None:
    layer = random_layer(np.random.default_rng(5), 20, 20)
    x = np.zeros((4, 20), np.float32)
    x[1], x[2], x[3] = 3, -3, 1e-42
    made = outputs_of(layer_model(layer), x=x)
    assert np.array_equal(made, linear(layer, x))
    assert np.array_equal(made[0], layer.constants["B"])
    assert np.array_equal(made[3], layer.constants["B"])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_spoils_its_row_alone(value: float) -> None:
    draw = np.random.default_rng(6)
    layer, x = normalising(random_layer(draw, 50, 50, gelu=True), draw), rows_of(draw, 3, 50)
    good = outputs_of(layer_model(layer), x=x)
    x[1, 49] = value
    made = outputs_of(layer_model(layer), x=x)
    assert np.isnan(made[1]).all()
    assert np.array_equal(made[[0, 2]], good[[0, 2]])


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_of_the_session_share_the_work(threads: int) -> None:
    draw = np.random.default_rng(7)
    layer, x = random_layer(draw, 96, 500), rows_of(draw, 3, 200, 96)
    assert np.array_equal(outputs_of(layer_model(layer), threads=threads, x=x), linear(layer, x))


def test_no_rows_give_none() -> None:
    layer = random_layer(np.random.default_rng(8), 12, 20)
    assert outputs_of(layer_model(layer), x=np.zeros((0, 5, 12), np.float32)).shape == (0, 5, 20)


def test_all_instruction_sets_give_the_same_bits(tmp_path: Path) -> None:
    draw, cases = np.random.default_rng(9), []
    for inputs, outputs in ((384, 100), (33, 17), (70, 70), (64, 64)):
        for gelu in (False, True):
            layer, x = random_layer(draw, inputs, outputs, gelu=gelu), rows_of(draw, 29, inputs)
            layers = [layer, *([normalising(layer, draw)] if inputs == outputs else [])]
            cases += [(layer_model(each), x, outputs_of(layer_model(each), x=x)) for each in layers]
    check_isas(cases, tmp_path)


def changed(**constants: Any) -> Layer:
    draw = np.random.default_rng(10)
    layer = normalising(random_layer(draw, 12, 12), draw)
    return Layer(layer.constants | constants, normalises=True)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (changed(w=np.zeros((12, 12, 1), np.int8)), "w must be [inputs, outputs], got 3 dimensions"),
        (
            changed(w=np.zeros((0, 12), np.int8), factors=np.zeros(0, np.float32)),
            "inputs must be between 1 and 65536, got 0",
        ),
        (changed(B=np.zeros(11, np.float32)), "B must be 12 numbers, got 11"),
        (changed(factors=np.zeros(13, np.float32)), "factors must be 12 numbers, got 13"),
        (changed(factors=np.full(12, np.inf, np.float32)), "factors[0] must be finite, got inf"),
        (changed(w_scale=np.zeros(12, np.float32)), "scales[0] must be positive and finite, got 0"),
        (changed(gamma=np.zeros(5, np.float32)), "gamma must be 12 numbers, got 5"),
        (changed(epsilon=np.float32(0)), "normalization.epsilon must be positive and finite, got 0"),
    ],
)
def test_wrong_constants_are_refused_when_the_file_is_opened(layer: Layer, reason: str) -> None:
    with pytest.raises(Exception) as refused:  # noqa: PT011  # ONNX Runtime's have no common base
        outputs_of(layer_model(layer), x=np.zeros((1, 12), np.float32))
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((3, 11), "x must be [.., 12], got 11 last"), ((), "x must be [.., 12], got one number")],
)
def test_wrong_inputs_are_refused_in_the_call(shape: tuple[int, ...], reason: str) -> None:
    layer = random_layer(np.random.default_rng(11), 12, 20)
    with pytest.raises(Exception) as refused:  # noqa: PT011  # ONNX Runtime's have no common base
        outputs_of(layer_model(layer), x=np.zeros(shape, np.float32))
    assert reason in str(refused.value)


def test_another_input_of_another_shape_is_refused() -> None:
    draw = np.random.default_rng(12)
    square = normalising(random_layer(draw, 12, 20), draw)
    with pytest.raises(Exception, match="other must have the shape of the output"):
        outputs_of(layer_model(square), x=np.zeros((3, 12), np.float32))
