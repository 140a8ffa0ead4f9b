"""The parts that recipes are made of, against NumPy: ranges and blocks of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from onnx import TensorProto, helper
from support.float_graphs import node, write

from tundish.engines import load_file
from tundish_exporters.progress import silent
from tundish_exporters.quantize.block_products import quantize_blocks
from tundish_exporters.quantize.blocks import BlockRecipe
from tundish_exporters.quantize.observing import calibration_inputs
from tundish_exporters.quantize.ranges import Range, RangeRule, find_ranges, observe


def identity(path: Path) -> onnx.ModelProto:
    """`x` of any length, and its double."""
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    return onnx.load(write(path, [node("Add", "x x", "y")], {}, *tensors))


def ranges(path: Path, tensors: list[str], inputs: list[NDArray[np.float32]], rule: RangeRule) -> dict[str, Range]:
    """Of tensors of `identity`."""
    model, given = identity(path / "m.onnx"), [{"x": x} for x in inputs]
    return find_ranges(model, observe(model, tensors, given, silent), given, rule, silent)


def normal(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(3).normal(0, 1, count).astype(np.float32)


def test_mean_extremes_are_those_of_numpy(tmp_path: Path) -> None:
    inputs = [normal(10 + number) * (number + 1) for number in range(4)]
    found = ranges(tmp_path, ["x", "y"], inputs, "mean")
    low, high = (np.mean([extreme(x) for x in inputs]) for extreme in (np.min, np.max))
    assert found["x"] == pytest.approx((low, high), rel=1e-6)
    assert found["y"] == pytest.approx((2 * low, 2 * high), rel=1e-6)
    extremes = ranges(tmp_path, ["x"], inputs, "extremes")
    assert extremes["x"] == pytest.approx((min(map(np.min, inputs)), max(map(np.max, inputs))), rel=1e-6)


def test_a_percentile_is_that_of_the_magnitudes(tmp_path: Path) -> None:
    x = normal(200_000)
    found = ranges(tmp_path, ["x"], [x[:90_000], x[90_000:]], "percentile")
    expected = np.percentile(np.abs(x), 99.99)
    assert found["x"] == pytest.approx((-expected, expected), abs=float(np.abs(x).max()) / 1024)


@pytest.mark.parametrize("rectified", [False, True])
def test_least_divergence_cuts_one_outlier_and_little_else(tmp_path: Path, rectified: bool) -> None:
    x = normal(100_000)
    if rectified:
        x = np.maximum(x, 0)
    x[0] = 100.0
    low, high = ranges(tmp_path, ["x"], [x], "entropy")["x"]
    assert 2.5 < high < 10
    assert low == 0 if rectified else -10 < low < -2.5


def test_a_tensor_of_zeros_has_a_range(tmp_path: Path) -> None:
    rules: tuple[RangeRule, ...] = ("mean", "extremes", "percentile", "entropy")
    for rule in rules:
        found = ranges(tmp_path, ["x"], [np.zeros(9, np.float32)], rule)
        assert tuple(map(float, found["x"])) == (0, 0)


def test_calibration_is_spread_evenly() -> None:
    assert [each["x"] for each in calibration_inputs([{"x": np.array(number)} for number in range(256)])] == list(
        range(0, 256, 2)
    )


@settings(deadline=None, max_examples=60)
@given(
    matrix=st.tuples(st.integers(1, 70), st.integers(1, 5)).flatmap(
        lambda shape: arrays(np.float32, shape, elements=st.floats(-100, 100, width=32))
    ),
    bits=st.sampled_from([4, 8]),
    block=st.sampled_from([16, 32]),
)
def test_blocks_hold_weights_to_half_a_step(matrix: NDArray[np.float32], bits: Any, block: int) -> None:
    packed, scales = quantize_blocks(matrix, bits, block)
    rows, columns = matrix.shape
    count = -(-rows // block)
    assert packed.shape == (columns, count, block * bits // 8)
    values = packed.astype(int)
    if bits == 4:
        values = np.stack([values & 15, values >> 4], -1).reshape(columns, count, block)
    restored = ((values - 2 ** (bits - 1)) * scales[..., None].astype(float)).reshape(columns, -1)[:, :rows].T
    steps = np.abs(scales).repeat(block, 1)[:, :rows].T
    # The largest of a block lies on a step; its opposite, which has none, is a whole step off.
    assert (np.abs(restored - matrix) <= steps * 1.001 + 1e-6).all()
    inside = np.abs(matrix) <= steps * (2 ** (bits - 1) - 1)
    assert (np.abs(restored - matrix) <= steps * 0.501 + 1e-6)[inside].all()


@pytest.mark.parametrize("bits", [4, 8])
def test_onnx_runtime_multiplies_what_the_blocks_say(tmp_path: Path, bits: Any) -> None:
    draw = np.random.default_rng(1)
    matrix = draw.normal(0, 1, (48, 7)).astype(np.float32)
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 48), ("y", 7))
    ]
    write(tmp_path / "m.onnx", [node("MatMul", "x w", "y")], {"w": matrix}, *tensors)
    BlockRecipe(bits=bits).write(tmp_path / "m.onnx", tmp_path / "q.onnx", [], silent)
    x = draw.normal(0, 1, (5, 48)).astype(np.float32)
    actual = load_file("onnx", tmp_path / "q.onnx", precision="int8", threads=1).run({"x": x})["y"]
    packed, scales = quantize_blocks(matrix, bits, 32)
    values = packed.astype(int)
    if bits == 4:
        values = np.stack([values & 15, values >> 4], -1).reshape(7, 2, 32)
    restored = ((values - 2 ** (bits - 1)) * scales[..., None]).reshape(7, -1)[:, :48].T
    # Activations may be rounded to 8 bits.
    np.testing.assert_allclose(actual, x @ restored, atol=0.15)  # type: ignore[arg-type]
