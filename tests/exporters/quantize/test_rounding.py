"""Weights that are rounded in turn: what filters read by PyTorch, and errors that make good for each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper
from support.float_graphs import node, write

from tundish_exporters.progress import silent
from tundish_exporters.quantize import apply, rounding
from tundish_exporters.quantize.biases import FloatConvolution
from tundish_exporters.quantize.rounding import FilterReads, round_in_turn
from tundish_exporters.quantize.static import StaticRecipe

CHANNELS, EDGE = 8, 12
MOST = 127


@settings(max_examples=60, deadline=None)
@given(
    groups=st.integers(1, 3),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 2),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    pads=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    seed=st.integers(0, 2**16),
)
def test_what_filters_read_is_what_pytorch_unfolds(
    groups: int,
    inputs: int,
    outputs: int,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, int],
    seed: int,
) -> None:
    draw = np.random.default_rng(seed)
    weights = draw.normal(0, 1, (groups * outputs, inputs, *kernel)).astype(np.float32)
    layer = helper.make_node(
        "Conv", ["x", "w"], ["y"], "c", strides=strides, dilations=dilations, pads=[*pads, *pads], group=groups
    )
    values = [draw.normal(0, 1, (1, groups * inputs, 6, 7)).astype(np.float32) for _ in range(3)]
    reads = FilterReads(helper.make_graph([layer], "g", [], []), [FloatConvolution("c", "x", weights, groups)])
    with mock.patch.object(rounding, "_PLACES", 100):  # more than there are
        for value in values:
            reads.add({"x": value})
    unfolded = [
        torch.nn.functional.unfold(torch.from_numpy(value), kernel, dilations, pads, strides)[0].double().numpy()
        for value in values
    ]
    read = np.concatenate(unfolded, 1).reshape(groups, weights[0].size, -1)
    assert reads.moments["c"] == pytest.approx(np.matmul(read, read.transpose(0, 2, 1)), rel=1e-4, abs=1e-4)


def _scales(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    scales: NDArray[np.float32] = np.abs(weights).reshape(len(weights), -1).max(1) / np.float32(MOST)
    return scales


@settings(max_examples=60, deadline=None)
@given(length=st.integers(1, 12), seed=st.integers(0, 2**16), most=st.sampled_from([7, 63, 127]))
def test_where_nothing_goes_together_weights_are_rounded_to_the_nearest(length: int, seed: int, most: int) -> None:
    draw = np.random.default_rng(seed)
    weights = draw.normal(0, 1, (5, length)).astype(np.float32)
    scales = (np.abs(weights).max(1) / most).astype(np.float32)
    alone = np.diag(draw.uniform(0, 4, length))[None]
    steps = round_in_turn(FloatConvolution("c", "x", weights, 1), scales, most, alone)
    assert np.array_equal(steps, np.rint(weights.astype(np.float64) / scales[:, None].astype(np.float64)))


@settings(max_examples=60, deadline=None)
@given(
    groups=st.integers(1, 3), length=st.integers(2, 12), seed=st.integers(0, 2**16), most=st.sampled_from([7, 63, 127])
)
def test_the_products_that_are_lost_are_less(groups: int, length: int, seed: int, most: int) -> None:
    """Where all that filters read is alike, what forty filters of a group lose, on the whole and as read."""
    draw = np.random.default_rng(seed)
    read = draw.normal(0, 1, (groups, 200, 1)) + 0.1 * draw.normal(0, 1, (groups, 200, length))
    moments = np.matmul(read.transpose(0, 2, 1), read)
    weights = draw.normal(0, 1, (groups * 40, length)).astype(np.float32)
    scales = np.full(1, np.abs(weights).max() / most, np.float32)
    steps = round_in_turn(FloatConvolution("c", "x", weights, groups), scales, most, moments)
    assert np.array_equal(steps, np.rint(steps))
    assert np.abs(steps).max() <= most

    def lost(rounded: NDArray[Any]) -> float:
        missing = (weights - rounded * scales).reshape(groups, 40, length)
        return float(np.square(np.matmul(missing, read.transpose(0, 2, 1))).mean())

    nearest = np.rint(weights / scales)
    assert lost(steps) < 0.8 * lost(nearest)


def test_inputs_that_are_all_zero_change_nothing() -> None:
    weights = np.random.default_rng(3).normal(0, 1, (4, 9)).astype(np.float32)
    scales = _scales(weights)
    steps = round_in_turn(FloatConvolution("c", "x", weights, 1), scales, MOST, np.zeros((1, 9, 9)))
    assert np.array_equal(steps, np.rint(weights / scales[:, None]))


@pytest.mark.parametrize(
    "recipe",
    [
        StaticRecipe(ranges="extremes"),
        StaticRecipe(ranges="extremes", narrow=True),
        StaticRecipe(ranges="extremes", symmetric=True),
    ],
    ids=lambda recipe: recipe.name,
)
def test_a_network_whose_neighbours_are_alike_is_nearer_to_float(
    recipe: StaticRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_smooth(tmp_path / "float.onnx")
    inputs = smooth_inputs(40)
    wanted, errors = answers(source, inputs[20:]), []
    for in_turn in (False, True):
        with monkeypatch.context() as patch:
            if not in_turn:
                patch.setattr(FilterReads, "round_weights", lambda *_: None)
            apply(recipe, source, tmp_path / "int8.onnx", inputs[:20], silent)
        errors.append(float((answers(tmp_path / "int8.onnx", inputs[20:]) - wanted).std()))
    assert 0 < errors[1] < 0.9 * errors[0]


def test_weights_that_two_layers_share_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, files = write_smooth(tmp_path / "float.onnx", shared=True), []
    for in_turn in (False, True):
        with monkeypatch.context() as patch:
            if not in_turn:
                patch.setattr(FilterReads, "round_weights", lambda *_: None)
            apply(StaticRecipe(), source, tmp_path / "int8.onnx", smooth_inputs(20), silent)
        files.append({each.name: each for each in onnx.load(tmp_path / "int8.onnx").graph.initializer})
    nearest, rounded = files
    names = [name for name in nearest if name.endswith("_quantized")]
    changed = {name for name in names if nearest[name] != rounded[name]}
    assert "w1_quantized" in changed
    assert "w2_quantized" in names
    assert "w2_quantized" not in changed


def write_smooth(path: Path, *, shared: bool = False) -> Path:
    """A depthwise layer of 25 places, on which images are nearly of one value, and two pointwise ones behind it."""
    draw = np.random.default_rng(6)
    weights: dict[str, NDArray[Any]] = {
        "stem": np.abs(draw.normal(0, 0.4, (CHANNELS, 3, 1, 1))),
        "w1": draw.normal(0, 0.1, (CHANNELS, 1, 5, 5)) + 0.05,
        "w2": draw.normal(0, 0.4, (CHANNELS, CHANNELS, 1, 1)),
        "w3": draw.normal(0, 0.4, (CHANNELS, CHANNELS, 1, 1)),
        "head": draw.normal(0, 0.3, (CHANNELS, 32)),
    }
    weights["w1"][:, 0, 2, 2] = 8  # the others have some steps of the scale that it decides
    if shared:
        del weights["w3"]
    nodes = [
        node("Conv", "pixels stem", "c0"),
        node("Conv", "c0 w1", "c1", group=CHANNELS, pads=[2] * 4),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 w2", "c2"),
        node("Relu", "c2", "r2"),
        node("Conv", f"r2 {'w2' if shared else 'w3'}", "c3"),
        node("Relu", "c3", "r3"),
        node("ReduceMean", "r3", "mean", axes=[2, 3], keepdims=0),
        node("MatMul", "mean head", "answers"),
    ]
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, EDGE, EDGE])
    answered = helper.make_tensor_value_info("answers", TensorProto.FLOAT, ["batch", 32])
    return write(path, nodes, weights, given, answered)


def smooth_inputs(count: int) -> list[dict[str, NDArray[Any]]]:
    """Images of a shade each, and little else."""
    draw = np.random.default_rng(7)
    return [
        {"pixels": (draw.uniform(0.5, 3) + draw.normal(0, 0.05, (1, 3, EDGE, EDGE))).astype(np.float32)}
        for _ in range(count)
    ]


def answers(path: Path, inputs: list[dict[str, NDArray[Any]]]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.concatenate([np.asarray(session.run(None, each)[0]) for each in inputs])
