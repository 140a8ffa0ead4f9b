"""Last layers that are fitted to the features that they read, against least squares and on inputs that nobody saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper
from support.float_graphs import CHANNELS, EDGE, image_inputs, node, write

from tundish_exporters.progress import silent
from tundish_exporters.quantize import Recipe, apply, heads
from tundish_exporters.quantize.ends import find_ends
from tundish_exporters.quantize.nncf_recipe import NncfRecipe
from tundish_exporters.quantize.observing import observed
from tundish_exporters.quantize.ridge import ridge
from tundish_exporters.quantize.sensitivity import layer_errors
from tundish_exporters.quantize.static import StaticRecipe

LABELS = 20


@settings(max_examples=80, deadline=None)
@given(rows=st.integers(1, 12), features=st.integers(1, 20), outputs=st.integers(1, 4), seed=st.integers(0, 2**16))
def test_ridge_is_least_squares_with_a_row_for_each_penalty(rows: int, features: int, outputs: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    read, missing = draw.normal(3, 2, (rows, features)), draw.normal(1, 1, (rows, outputs))
    weights, bias = ridge(read, missing)
    if rows == 1:
        assert not weights.any()
        assert bias == pytest.approx(missing[0])
        return
    centred, mean = read - read.mean(0), missing.mean(0)
    penalty = np.sqrt((centred**2).sum() / min(rows - 1, features))
    padded = np.concatenate([centred, penalty * np.eye(features)])
    expected, *_ = np.linalg.lstsq(padded, np.concatenate([missing - mean, np.zeros((features, outputs))]))
    assert weights == pytest.approx(expected, abs=1e-9)
    assert read @ weights + bias == pytest.approx(mean + centred @ expected, abs=1e-9)


HEADS: dict[str, tuple[list[onnx.NodeProto], dict[str, tuple[int, ...]]]] = {
    "MatMul": ([node("MatMul", "mean head", "logits")], {"head": (CHANNELS, LABELS)}),
    "Gemm": ([node("Gemm", "mean head", "logits")], {"head": (CHANNELS, LABELS)}),
    "Gemm, turned": (
        [node("Gemm", "mean head bias", "logits", transB=1)],
        {"head": (LABELS, CHANNELS), "bias": (LABELS,)},
    ),
    "Gemm, a softmax behind it": (
        [node("Gemm", "mean head bias", "raw"), node("Softmax", "raw", "logits")],
        {"head": (CHANNELS, LABELS), "bias": (1, LABELS)},
    ),
}


def write_network(path: Path, head: list[onnx.NodeProto], shapes: dict[str, tuple[int, ...]]) -> Path:
    """Four convolutions, their mean, and a head."""
    draw = np.random.default_rng(6)
    weights = {f"w{index}": draw.normal(0, 0.3, (CHANNELS, 3 if index == 0 else CHANNELS, 3, 3)) for index in range(4)}
    weights |= {name: draw.normal(0, 0.5, shape) for name, shape in shapes.items()}
    nodes = []
    for index in range(4):
        nodes.append(node("Conv", f"{f'r{index - 1}' if index else 'pixels'} w{index}", f"c{index}", pads=[1] * 4))
        nodes.append(node("Relu", f"c{index}", f"r{index}"))
    nodes += [node("ReduceMean", "r3", "mean", axes=[2, 3], keepdims=0), *head]
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, EDGE, EDGE])
    made = helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)
    return write(path, nodes, weights, given, made)


def written(recipe: Recipe, source: Path, count: int) -> onnx.ModelProto:
    path = source.with_name("int8.onnx")
    apply(recipe, source, path, image_inputs(count), silent)
    return onnx.load(path)


def answers(model: onnx.ModelProto, inputs: list[dict[str, NDArray[Any]]], tensor: str = "logits") -> NDArray[Any]:
    return np.concatenate([each for (each,) in observed(model, [tensor], inputs, "look", silent)])


@pytest.mark.parametrize(
    "recipe",
    [StaticRecipe(), StaticRecipe(per_channel=False), StaticRecipe(symmetric=True), NncfRecipe(transformer=False)],
    ids=lambda recipe: recipe.name,
)
@pytest.mark.parametrize("kind", HEADS)
def test_answers_on_other_inputs_are_nearer_to_the_float_networks(
    recipe: Recipe, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, inputs = write_network(tmp_path / "float.onnx", *HEADS[kind]), image_inputs(128)
    tensor = HEADS[kind][0][0].output[0]
    floating, fitted = onnx.load(source), written(recipe, source, 64)
    onnx.checker.check_model(fitted)
    monkeypatch.setattr(heads, "_LEAST_INPUTS", 1000)
    as_it_was = written(recipe, source, 64)
    expected = answers(floating, inputs[64:], tensor)
    errors = [np.sqrt(np.mean((answers(each, inputs[64:], tensor) - expected) ** 2)) for each in (fitted, as_it_was)]
    assert errors[0] < 0.9 * errors[1]
    # On those that it was fitted to, it has the mean that it should have.
    mean, wanted = (answers(each, inputs[:64], tensor).mean(0) for each in (fitted, floating))
    assert mean == pytest.approx(wanted, abs=1e-3 * float(expected.std()))


@pytest.mark.parametrize(
    ("head", "shapes"),
    [
        ([node("Gemm", "mean head bias", "logits", alpha=0.5)], {"head": (CHANNELS, LABELS), "bias": (LABELS,)}),
        ([node("Conv", "r3 head", "logits")], {"head": (LABELS, CHANNELS, 1, 1)}),
        ([node("Flatten", "r3", "rows", axis=3), node("MatMul", "rows head", "logits")], {"head": (EDGE, LABELS)}),
        ([node("MatMul", "r3 head", "logits")], {"head": (EDGE, LABELS)}),
        ([node("Relu", "mean", "logits")], {}),
        ([node("Transpose", "mean", "turned", perm=[1, 0]), node("MatMul", "mean turned", "logits")], {}),
    ],
    ids=["scaled", "a convolution", "rows of an image", "images", "none", "no weights"],
)
def test_other_last_layers_stay_as_they_are(
    head: list[onnx.NodeProto], shapes: dict[str, tuple[int, ...]], tmp_path: Path
) -> None:
    model = written(StaticRecipe(), write_network(tmp_path / "float.onnx", head, shapes), 16)
    assert not any(heads.is_fitted(each) for each in model.graph.node)


def test_few_inputs_are_not_learnt_by_heart(tmp_path: Path) -> None:
    source = write_network(tmp_path / "float.onnx", *HEADS["MatMul"])
    fitted = [any(map(heads.is_fitted, written(StaticRecipe(), source, count).graph.node)) for count in (9, 10)]
    assert fitted == [False, True]


def test_what_others_read_as_well_stays_for_them(tmp_path: Path) -> None:
    """Two heads by the same weights and bias, on different features."""
    pair = [node("Gemm", "mean head bias", "one"), node("Gemm", "early head bias", "two")]
    nodes = [
        node("ReduceMean", "r1", "early", axes=[2, 3], keepdims=0),
        *pair,
        node("Concat", "one two", "logits", axis=1),
    ]
    source = write_network(tmp_path / "float.onnx", nodes, {"head": (CHANNELS, LABELS), "bias": (LABELS,)})
    assert find_ends(onnx.load(source).graph).heads == ("Gemm_one", "Gemm_two")
    model, inputs = written(StaticRecipe(), source, 64), image_inputs(64)
    made = [each for each in model.graph.node if heads.is_fitted(each)]
    assert len({each.input[1] for each in made}) == len({each.input[2] for each in made}) == 2
    assert not {"head", "bias"} & {tensor.name for tensor in model.graph.initializer}
    expected = answers(onnx.load(source), inputs).mean(0)
    assert answers(model, inputs).mean(0) == pytest.approx(expected, abs=1e-3 * float(expected.std()))


def test_a_fitted_layer_is_not_among_those_that_hurt(tmp_path: Path) -> None:
    source = write_network(tmp_path / "float.onnx", *HEADS["Gemm, turned"])
    model = written(StaticRecipe(), source, 16)
    assert any(map(heads.is_fitted, model.graph.node))
    StaticRecipe().prepare(source, tmp_path / "prepared.onnx", [], silent)
    errors = layer_errors(tmp_path / "prepared.onnx", tmp_path / "int8.onnx", image_inputs(4), silent)
    assert {error.node for error in errors} == {"Conv_c1", "Conv_c2", "Conv_c3"}
