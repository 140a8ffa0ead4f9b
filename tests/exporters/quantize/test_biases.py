"""Biases that give back what rounded weights take, against PyTorch's convolutions and the float network's answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper
from support.float_graphs import node, write

from tundish_exporters.progress import silent
from tundish_exporters.quantize import Recipe, apply
from tundish_exporters.quantize.biases import FloatConvolution
from tundish_exporters.quantize.nncf_recipe import NncfRecipe
from tundish_exporters.quantize.observing import observed
from tundish_exporters.quantize.static import StaticRecipe

CHANNELS = 8


@settings(max_examples=60, deadline=None)
@given(
    groups=st.integers(1, 4),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    kernel=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    seed=st.integers(0, 2**16),
)
def test_a_mean_output_is_that_of_constant_inputs(
    groups: int, inputs: int, outputs: int, kernel: list[int], seed: int
) -> None:
    draw = np.random.default_rng(seed)
    weights = draw.normal(0, 1, (groups * outputs, inputs, *kernel)).astype(np.float32)
    means = draw.normal(0, 1, groups * inputs).astype(np.float32)
    constant = torch.from_numpy(means).reshape(1, -1, *[1] * len(kernel)).expand(1, -1, *kernel)
    convolve = [torch.nn.functional.conv1d, torch.nn.functional.conv2d, torch.nn.functional.conv3d][len(kernel) - 1]
    expected = convolve(constant, torch.from_numpy(weights), groups=groups).flatten().numpy()
    convolution = FloatConvolution("c", "x", weights, groups)
    assert convolution.mean_output(weights, means) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "recipe",
    [
        StaticRecipe(ranges="extremes"),
        StaticRecipe(ranges="extremes", per_channel=False),
        StaticRecipe(ranges="extremes", narrow=True),
        StaticRecipe(ranges="extremes", symmetric=True),
        NncfRecipe(transformer=False),
    ],
    ids=lambda recipe: recipe.name,
)
def test_mean_outputs_are_those_of_the_float_network(tmp_path: Path, recipe: Recipe) -> None:
    """Of layers with a bias of their own, with one that they share, and with none."""
    floating = write_layers(tmp_path / "float.onnx")
    draw = np.random.default_rng(4)
    inputs = [{"pixels": draw.normal(0, 1, (1, 3, 16, 16)).astype(np.float32)} for _ in range(24)]
    apply(recipe, floating, tmp_path / "int8.onnx", inputs, silent)
    graph = onnx.load(tmp_path / "int8.onnx")
    makers = {name: each for each in graph.graph.node for name in each.output}
    for name in ("own", "left", "right", "none", "grouped"):
        weights, *_ = (each for each in graph.graph.node if each.output[0] == name)
        assert makers[weights.input[1]].op_type == "DequantizeLinear"
        expected, made = (channels(onnx.load(path), name, inputs) for path in (floating, tmp_path / "int8.onnx"))
        # The largest weight of each filter is 30, so that the others are rounded to some quarters, or halves.
        assert np.abs(made.mean(1) - expected.mean(1)).max() < 0.02 * expected.std()


def write_layers(path: Path) -> Path:
    """Convolutions that all read the same positive tensor, each filter with a large weight for a channel of zeros."""
    draw = np.random.default_rng(2)

    def filters(*shape: int) -> NDArray[Any]:
        drawn = draw.normal(0, 1, shape)
        drawn[:, -1] = 30
        return drawn

    names = ("own", "left", "right", "none")
    weights: dict[str, NDArray[Any]] = {
        "stem": draw.normal(0, 0.3, (CHANNELS, 3, 3, 3)),
        "stem_bias": np.array([1.0] * (CHANNELS - 1) + [-100]),
        **{f"w_{name}": filters(CHANNELS, CHANNELS, 1, 1) for name in names},
        "w_grouped": filters(CHANNELS, CHANNELS // 2, 1, 1),
        "b_own": draw.normal(0, 1, CHANNELS),
        "b_shared": draw.normal(0, 1, CHANNELS),
        "head": draw.normal(0, 0.3, (CHANNELS, 4)),
    }
    nodes = [
        node("Conv", "pixels stem stem_bias", "s"),
        node("Relu", "s", "r"),
        node("Conv", "r w_own b_own", "own"),
        node("Conv", "r w_left b_shared", "left"),
        node("Conv", "r w_right b_shared", "right"),
        node("Conv", "r w_none", "none"),
        node("Conv", "r w_grouped", "grouped", group=2),
        *(node("Add", f"{first} {second}", f"sum_{second}") for first, second in [("own", "left"), ("right", "none")]),
        node("Add", "sum_left sum_none", "most"),
        node("Add", "most grouped", "all"),
        node("ReduceMean", "all", "mean", axes=[2, 3], keepdims=0),
        node("MatMul", "mean head", "logits"),
    ]
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, 16, 16])
    made = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 4])
    return write(path, nodes, weights, given, made)


def channels(model: onnx.ModelProto, name: str, inputs: list[dict[str, NDArray[Any]]]) -> NDArray[np.float32]:
    """All values of each channel of a tensor."""
    values = [value[0].reshape(CHANNELS, -1) for (value,) in observed(model, [name], inputs, "look", silent)]
    return np.concatenate(values, 1)
