"""What static recipes make of the heads of convolutional networks: large ones get weights in blocks of int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from support.float_graphs import CHANNELS, EDGE, float_layers, image_inputs, node, write

from tundish.engines import load_file
from tundish.manifest import EngineName
from tundish_exporters.progress import silent
from tundish_exporters.quantize import apply
from tundish_exporters.quantize.sensitivity import layer_errors
from tundish_exporters.quantize.static import StaticRecipe

FEATURES, LABELS = 512, 260
"""The product of these is just above the least size of a head in blocks."""


@pytest.fixture(autouse=True, scope="module")
def engines() -> None:
    """All that are installed."""


def write_network(path: Path, head: onnx.NodeProto, shape: tuple[int, int], bias: tuple[int, ...] | None) -> Path:
    """Three convolutions, their mean over the image, and the head."""
    draw = np.random.default_rng(11)
    weights: dict[str, NDArray[Any]] = {
        "w0": draw.normal(0, 0.3, (CHANNELS, 3, 3, 3)),
        "w1": draw.normal(0, 0.2, (FEATURES, CHANNELS, 1, 1)),
        "w2": draw.normal(0, 0.05, (FEATURES, FEATURES, 1, 1)),
        "head": draw.normal(0, 0.1, shape),
    }
    if bias is not None:
        weights["bias"] = draw.normal(0, 1, bias)
    nodes = [
        node("Conv", "pixels w0", "c0", pads=[1] * 4, strides=[2, 2]),
        node("Relu", "c0", "r0"),
        node("Conv", "r0 w1", "c1"),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 w2", "c2"),
        node("ReduceMean", "c2", "mean", axes=[2, 3], keepdims=0),
        head,
    ]
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, EDGE, EDGE])
    made = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "labels"])
    return write(path, nodes, weights, given, made)


def quantised(source: Path, recipe: StaticRecipe) -> Path:
    path = source.with_name("quantised.onnx")
    apply(recipe, source, path, image_inputs(), silent)
    return path


def operators(path: Path) -> list[str]:
    return [each.op_type for each in onnx.load(path).graph.node]


def answer(path: Path, engine: EngineName = "onnx") -> NDArray[Any]:
    loaded = load_file(engine, path, precision="int8", threads=1)
    return np.concatenate([np.asarray(loaded.run(given)["logits"]) for given in image_inputs(8)])


LARGE = [
    ("MatMul", "mean head", {}, (FEATURES, LABELS), None),
    ("Gemm", "mean head", {}, (FEATURES, LABELS), None),
    ("Gemm", "mean head bias", {}, (FEATURES, LABELS), (LABELS,)),
    ("Gemm", "mean head bias", {"transB": 1}, (LABELS, FEATURES), (LABELS,)),
]


@pytest.mark.parametrize(("operator", "inputs", "attributes", "shape", "bias"), LARGE)
def test_a_large_head_has_its_weights_in_blocks(
    operator: str,
    inputs: str,
    attributes: dict[str, Any],
    shape: tuple[int, int],
    bias: tuple[int, ...] | None,
    tmp_path: Path,
) -> None:
    source = write_network(tmp_path / "float.onnx", node(operator, inputs, "logits", **attributes), shape, bias)
    path = quantised(source, StaticRecipe())
    assert operators(path).count("MatMulNBits") == 1
    assert float_layers(path) == {"Conv_c0"}
    # The same convolutions with the head in float: the blocks alone make the difference.
    kept = tmp_path / "kept.onnx"
    apply(StaticRecipe(kept=frozenset({f"{operator}_logits"})), source, kept, image_inputs(), silent)
    assert "MatMulNBits" not in operators(kept)
    expected = answer(kept)
    assert path.stat().st_size < kept.stat().st_size - 2.5 * FEATURES * LABELS
    for engine in ("onnx", "openvino"):
        error = answer(path, engine) - answer(kept, engine)
        assert 0 < np.sqrt(np.mean(error**2)) < 0.01 * expected.std()


@pytest.mark.parametrize(
    ("recipe", "head", "shape", "bias"),
    [
        (StaticRecipe(), node("MatMul", "mean head", "logits"), (FEATURES, LABELS // 2), None),
        (StaticRecipe(symmetric=True), node("MatMul", "mean head", "logits"), (FEATURES, LABELS), None),
        (StaticRecipe(operators="all"), node("MatMul", "mean head", "logits"), (FEATURES, LABELS), None),
        (StaticRecipe(), node("Gemm", "mean head bias", "logits", alpha=0.5), (FEATURES, LABELS), (LABELS,)),
        (StaticRecipe(), node("Gemm", "mean head bias", "logits"), (FEATURES, LABELS), (1, LABELS)),
    ],
    ids=["small", "TensorRT's form", "all operators", "scaled", "matrix added"],
)
def test_other_heads_are_left_alone(
    recipe: StaticRecipe, head: onnx.NodeProto, shape: tuple[int, int], bias: tuple[int, ...] | None, tmp_path: Path
) -> None:
    path = quantised(write_network(tmp_path / "float.onnx", head, shape, bias), recipe)
    assert "MatMulNBits" not in operators(path)
    assert np.isfinite(answer(path)).all()


def write_attending_network(path: Path) -> Path:
    """Three convolutions, attention among the places of the image, and a head."""
    draw = np.random.default_rng(12)
    weights: dict[str, NDArray[Any]] = {
        "w0": draw.normal(0, 0.3, (CHANNELS, 3, 3, 3)),
        "w1": draw.normal(0, 0.2, (FEATURES, CHANNELS, 1, 1)),
        "w2": draw.normal(0, 0.05, (FEATURES, FEATURES, 1, 1)),
        "places": np.array([0, FEATURES, -1]),
        "head": draw.normal(0, 0.1, (FEATURES, LABELS)),
    }
    weights |= {name: draw.normal(0, 0.05, (FEATURES, FEATURES)) for name in "qkv"}
    nodes = [
        node("Conv", "pixels w0", "c0", pads=[1] * 4, strides=[2, 2]),
        node("Relu", "c0", "r0"),
        node("Conv", "r0 w1", "c1"),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 w2", "c2"),
        node("Reshape", "c2 places", "flat"),
        node("Transpose", "flat", "tokens", perm=[0, 2, 1]),
        *[node("MatMul", f"tokens {name}", f"{name}_") for name in "qkv"],
        node("Transpose", "k_", "turned", perm=[0, 2, 1]),
        node("MatMul", "q_ turned", "raw"),
        node("Softmax", "raw", "shares", axis=-1),
        node("MatMul", "shares v_", "mixed"),
        node("ReduceMean", "mixed", "mean", axes=[1], keepdims=0),
        node("MatMul", "mean head", "logits"),
    ]
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, EDGE, EDGE])
    made = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", LABELS])
    return write(path, nodes, weights, given, made)


def test_a_network_that_attends_keeps_its_products_in_float(tmp_path: Path) -> None:
    path = quantised(write_attending_network(tmp_path / "float.onnx"), StaticRecipe())
    assert float_layers(path) == {"Conv_c0", *(f"MatMul_{name}_" for name in "qkv"), "MatMul_logits"}
    assert "MatMulNBits" not in operators(path)


def test_the_same_graph_gives_the_same_bytes(tmp_path: Path) -> None:
    source = write_network(tmp_path / "float.onnx", node("MatMul", "mean head", "logits"), (FEATURES, LABELS), None)
    first = quantised(source, StaticRecipe()).read_bytes()
    assert quantised(source, StaticRecipe()).read_bytes() == first


def test_a_head_that_is_not_fitted_is_among_the_layers_that_hurt_and_hurts_least(tmp_path: Path) -> None:
    head = node("Gemm", "mean head bias", "logits", transB=1)
    source = write_network(tmp_path / "float.onnx", head, (LABELS, FEATURES), (LABELS,))
    apply(StaticRecipe(), source, tmp_path / "quantised.onnx", image_inputs(9), silent)
    errors = layer_errors(source, tmp_path / "quantised.onnx", image_inputs(), silent)
    assert errors[-1].node == "Gemm_logits"
    assert 0 < errors[-1].error < 0.01
