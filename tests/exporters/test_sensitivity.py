"""Each layer's own error, against NumPy's and PyTorch's idea of it, and layers that are bad by construction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tundish_exporters.progress import silent
from tundish_exporters.quantize import Recipe, apply
from tundish_exporters.quantize.dynamic import DynamicRecipe
from tundish_exporters.quantize.sensitivity import layer_errors
from tundish_exporters.quantize.static import StaticRecipe

NARROW = DynamicRecipe(narrow=True)
"""Products of weights in 8 bits overflow on processors that add them in 16, which no oracle of theory knows."""
WIDTH = 24
DRAW = np.random.default_rng(17)
ROWS = [{"x": DRAW.normal(0, 1, (5, WIDTH)).astype(np.float32)} for _ in range(4)]
IMAGES = [{"x": DRAW.normal(0, 1, (1, 4, 12, 12)).astype(np.float32)} for _ in range(4)]


def write_products(path: Path, weights: dict[str, NDArray[np.float32]]) -> None:
    """A product with each of the weights, a rectifier behind each."""
    nodes, tensor = [], "x"
    for name in weights:
        nodes.append(helper.make_node("MatMul", [tensor, f"{name}_weights"], [f"{name}_product"], name=name))
        nodes.append(helper.make_node("Relu", [f"{name}_product"], [f"{name}_out"], name=f"{name}_relu"))
        tensor = f"{name}_out"
    _write(path, nodes, tensor, ["rows", WIDTH], {f"{name}_weights": value for name, value in weights.items()})


def write_convolutions(path: Path, weights: dict[str, NDArray[np.float32]]) -> None:
    """A convolution with each of the weights, a rectifier behind each; the first and the last stay in float."""
    nodes, tensor = [], "x"
    for name in weights:
        nodes.append(helper.make_node("Conv", [tensor, f"{name}_weights"], [f"{name}_sum"], name=name))
        nodes.append(helper.make_node("Relu", [f"{name}_sum"], [f"{name}_out"], name=f"{name}_relu"))
        tensor = f"{name}_out"
    _write(path, nodes, tensor, ["batch", 4, 12, 12], {f"{name}_weights": value for name, value in weights.items()})


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    output: str,
    shape: list[int | str],
    weights: dict[str, NDArray[np.float32]],
) -> None:
    graph = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None] * len(shape))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def errors(recipe: Recipe, directory: Path, inputs: list[dict[str, NDArray[np.float32]]]) -> dict[str, float]:
    """By layer, the worst first."""
    recipe.prepare(directory / "float.onnx", directory / "prepared.onnx", inputs, silent)
    apply(recipe, directory / "float.onnx", directory / "quantised.onnx", inputs, silent)
    measured = layer_errors(directory / "prepared.onnx", directory / "quantised.onnx", inputs, silent)
    assert sorted(measured, key=lambda layer: -layer.error) == measured
    return {layer.node: layer.error for layer in measured}


def product_weights(*names: str) -> dict[str, NDArray[np.float32]]:
    return {name: DRAW.normal(0, 0.3, (WIDTH, WIDTH)).astype(np.float32) for name in names}


def rounded(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """To 64 steps on both sides of zero, for each channel."""
    scale = np.abs(values).max(axis=axis, keepdims=True) / 64
    coarse: NDArray[np.float32] = (np.round(values / scale) * scale).astype(np.float32)
    return coarse


def rounded_range(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """To 256 steps from the least to the largest value, zero among them, as DynamicQuantizeLinear."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = (high - low) / 255
    zero = np.clip(np.round(-low / scale), 0, 255)
    steps = np.clip(np.round(values / scale) + zero, 0, 255) - zero
    coarse: NDArray[np.float32] = (steps * scale).astype(np.float32)
    return coarse


def test_a_layers_error_is_that_of_its_own_rounding_and_not_of_the_layers_before_it(tmp_path: Path) -> None:
    weights = product_weights("first", "second")
    write_products(tmp_path / "float.onnx", weights)
    measured = errors(NARROW, tmp_path, ROWS)
    error, signal = np.zeros(2), np.zeros(2)
    for row in ROWS:
        tensor = row["x"]
        for place, matrix in enumerate(weights.values()):
            output = tensor @ matrix
            error[place] += ((rounded_range(tensor) @ rounded(matrix, axis=0) - output) ** 2).sum()
            signal[place] += (output**2).sum()
            tensor = np.maximum(output, 0)
    expected = np.sqrt(error / signal)
    assert [measured["first"], measured["second"]] == pytest.approx(expected.tolist(), rel=0.02)


def test_of_a_static_layer_the_calibrated_ranges_count(tmp_path: Path) -> None:
    weights = {name: DRAW.normal(0, 0.2, (4, 4, 3, 3)).astype(np.float32) for name in ("a", "b", "c")}
    weights["b"] = DRAW.normal(0, 0.2, (8, 4, 3, 3)).astype(np.float32)
    weights["c"] = DRAW.normal(0, 0.2, (8, 8, 3, 3)).astype(np.float32)
    write_convolutions(tmp_path / "float.onnx", weights)
    measured = errors(StaticRecipe(narrow=True), tmp_path, IMAGES)
    assert set(measured) == {"b", "c"}, "the first layer stays in float"
    tensors = [
        torch.relu(torch.conv2d(torch.from_numpy(image["x"]), torch.from_numpy(weights["a"]))) for image in IMAGES
    ]
    scale = float(np.mean([tensor.max() for tensor in tensors])) / 255  # the mean of the extremes
    layer = torch.from_numpy(rounded(weights["b"].reshape(8, -1), axis=1).reshape(weights["b"].shape))
    error = signal = 0.0
    for tensor in tensors:
        output = torch.conv2d(tensor, torch.from_numpy(weights["b"]))
        coarse = torch.clip(torch.round(tensor / scale), 0, 255) * scale
        error += float(((torch.conv2d(coarse, layer) - output) ** 2).sum())
        signal += float((output**2).sum())
    assert measured["b"] == pytest.approx((error / signal) ** 0.5, rel=0.05)


def test_a_layer_with_outlying_weights_is_the_worst(tmp_path: Path) -> None:
    weights = product_weights("plain", "planted", "other")
    weights["planted"][0] *= 1000  # one row: each channel's steps are a thousand times as wide
    weights["plain"][:, 0] = 0  # and nothing comes through it
    write_products(tmp_path / "float.onnx", weights)
    measured = errors(DynamicRecipe(), tmp_path, ROWS)
    assert next(iter(measured)) == "planted"
    assert measured["planted"] > 20 * measured["other"]


def test_what_is_kept_in_float_has_no_error(tmp_path: Path) -> None:
    write_products(tmp_path / "float.onnx", product_weights("first", "second"))
    assert set(errors(DynamicRecipe().keeping(frozenset({"first"})), tmp_path, ROWS)) == {"second"}


def test_a_layer_of_zeros_has_no_error(tmp_path: Path) -> None:
    weights = product_weights("first", "nothing")
    weights["nothing"][:] = 0
    write_products(tmp_path / "float.onnx", weights)
    assert errors(DynamicRecipe(), tmp_path, ROWS)["nothing"] == 0.0
