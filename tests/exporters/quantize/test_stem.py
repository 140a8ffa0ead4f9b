"""Stems that read blocks of columns, against ONNX Runtime's own convolutions of integers, and what recipes make of
them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from support.float_graphs import float_layers, image_inputs, node, write, write_convolutions

from tundish_exporters.progress import silent
from tundish_exporters.quantize import apply
from tundish_exporters.quantize.first_layer import StemForm
from tundish_exporters.quantize.sensitivity import layer_errors
from tundish_exporters.quantize.static import StaticRecipe
from tundish_exporters.quantize.stem import Stem, find_stem, widen

BATCH, OUTPUTS, ROWS = 2, 3, 6


def floating(shape: list[int | str], weights: tuple[int, ...], **attributes: Any) -> onnx.GraphProto:
    """A convolution of such weights that reads an image."""
    made = helper.make_node("Conv", ["x", "w"], ["y"], name="stem", **attributes)
    tensors = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    constants = [numpy_helper.from_array(np.ones(weights, np.float32), "w")]
    return helper.make_graph([made], "network", tensors, outputs, constants)


def quantised(graph: onnx.GraphProto, *, seed: int, per_channel: bool, bias: bool) -> onnx.ModelProto:
    """The same in Q/DQ form, with weights and steps drawn at random."""
    draw = np.random.default_rng(seed)
    (convolution,) = graph.node
    shape = tuple(graph.initializer[0].dims)
    scales = draw.uniform(0.001, 0.01, shape[:1] if per_channel else ()).astype(np.float32)
    constants: dict[str, NDArray[Any]] = {
        "weights": draw.integers(-127, 128, shape, np.int8),
        "scales": scales,
        "zeros": np.zeros_like(scales, np.int8),
        "given_scale": np.float32(0.02) * np.ones((), np.float32),
        "given_zero": np.array(draw.integers(0, 256), np.uint8),
        "made_scale": np.array(0.05, np.float32),
        "made_zero": np.array(100, np.uint8),
        "bias": draw.integers(-9999, 9999, shape[0], np.int32),
        "bias_scales": np.float32(0.02) * scales,
        "bias_zeros": np.zeros_like(scales, np.int32),
    }
    read = ["x", "w", "b"] if bias else ["x", "w"]
    attributes = {each.name: helper.get_attribute_value(each) for each in convolution.attribute}
    nodes = [
        node("QuantizeLinear", "image given_scale given_zero", "q"),
        node("DequantizeLinear", "q given_scale given_zero", "x"),
        node("DequantizeLinear", "weights scales zeros", "w", axis=0),
        node("DequantizeLinear", "bias bias_scales bias_zeros", "b", axis=0),
        helper.make_node("Conv", read, ["y"], name="stem", **attributes),
        node("QuantizeLinear", "y made_scale made_zero", "r"),
        node("DequantizeLinear", "r made_scale made_zero", "answer"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, list("abcd"))
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, list("efgh"))
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    whole = helper.make_graph(nodes, "network", [image], [answer], initializers)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def session(model: onnx.ModelProto | Path, **entries: Any) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    for name, value in entries.items():
        setattr(options, name, value)
    given = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


@st.composite
def stems(draw: st.DrawFn) -> onnx.GraphProto:
    """Convolutions that mostly have a stem's shape."""
    channels, kernel, stride = (draw(st.integers(1, most)) for most in (3, 7, 4))
    rows, down, top, left, right = (draw(st.integers(least, 3)) for least in (1, 1, 0, 0, 0))
    shape: list[int | str] = ["batch", channels, ROWS, draw(st.integers(1, 12)) * 4]
    weights = (draw(st.integers(1, OUTPUTS)), channels, rows, kernel)
    pads = [min(top, rows - 1), min(left, kernel - 1), 0, min(right, kernel - 1)]
    return floating(shape, weights, kernel_shape=[rows, kernel], strides=[down, stride], pads=pads)


@settings(max_examples=150, deadline=None)
@given(stems(), st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_blocks_of_columns_give_the_same_integers(
    graph: onnx.GraphProto, seed: int, per_channel: bool, bias: bool
) -> None:
    stem = find_stem(graph)
    assume(stem is not None)
    assert stem is not None
    whole = quantised(graph, seed=seed, per_channel=per_channel, bias=bias)
    wide = onnx.ModelProto()
    wide.CopyFrom(whole)
    widen(wide.graph, stem)
    onnx.checker.check_model(wide)
    image = np.random.default_rng(seed).normal(0, 2, (BATCH, stem.channels, ROWS, stem.columns)).astype(np.float32)
    expected, answer = (session(model).run(None, {"image": image})[0] for model in (whole, wide))
    np.testing.assert_array_equal(answer, expected)


def test_most_shapes_that_networks_begin_with_have_a_stem() -> None:
    """MobileNetV2, ResNet, VGG, YOLO of two ages, ConvNeXt, patches of ViT, and a network of grey images."""
    shapes = [(3, 3, 2, 1, 224), (3, 7, 2, 3, 224), (3, 3, 1, 1, 224), (3, 3, 2, 1, 640), (3, 6, 2, 2, 640)]
    shapes += [(3, 4, 4, 0, 224), (3, 16, 16, 0, 224), (1, 3, 2, 1, 28)]
    for channels, kernel, stride, pad, edge in shapes:
        attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        stem = find_stem(floating(["batch", channels, edge, edge], (8, channels, kernel, kernel), **attributes))
        assert stem is not None
        assert stem.width * stem.channels % 4 == 0
        assert stem.made * stem.stride == stem.width


@pytest.mark.parametrize(
    ("shape", "weights", "attributes"),
    [
        (["batch", 3, 8, "width"], (8, 3, 3, 3), {"pads": [1] * 4}),
        (["batch", 3, 8, 9], (8, 3, 3, 3), {"pads": [1] * 4}),
        (["batch", 3, 8, 8], (8, 3, 3, 3), {}),
        (["batch", 4, 8, 8], (8, 4, 3, 3), {"pads": [1] * 4}),
        (["batch", 3, 8, 8], (9, 1, 3, 3), {"pads": [1] * 4, "group": 3}),
        (["batch", 3, 8, 8], (8, 3, 3, 3), {"pads": [2] * 4, "dilations": [2, 2]}),
        (["batch", 3, 8, 8], (8, 3, 3, 3), {"auto_pad": "SAME_UPPER"}),
        (["batch", 3, 8, 8], (8, 3, 1, 1), {"strides": [8, 8]}),
        (["batch", 3, 8], (8, 3, 3), {"pads": [1] * 2}),
    ],
    ids=["unknown width", "odd width", "narrower", "fours", "groups", "dilated", "pads itself", "gaps", "sound"],
)
def test_what_is_no_stem(shape: list[int | str], weights: tuple[int, ...], attributes: dict[str, Any]) -> None:
    assert find_stem(floating(shape, weights, **attributes)) is None


@pytest.mark.parametrize("shared", ["x", "w"])
def test_an_input_or_weights_that_others_read_as_well_make_no_stem(shared: str) -> None:
    graph = floating(["batch", 3, 8, 8], (8, 3, 3, 3), pads=[1] * 4)
    assert find_stem(graph) is not None
    graph.node.append(helper.make_node("Shape", [shared], ["shape"]))
    assert find_stem(graph) is None


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_convolutions(tmp_path / "float.onnx")


@pytest.mark.parametrize("form", ["plain", "blocks"])
def test_a_recipe_quantises_the_stem(form: StemForm, network: Path, tmp_path: Path) -> None:
    whole, stemmed, kept = (tmp_path / f"{name}.onnx" for name in ("whole", "stemmed", "kept"))
    apply(StaticRecipe(), network, whole, image_inputs(), silent)
    apply(StaticRecipe(stem=form), network, stemmed, image_inputs(), silent)
    assert float_layers(stemmed) == float_layers(whole) - {"Conv_c0"}
    apply(StaticRecipe(stem=form).keeping(frozenset({"Conv_c0"})), network, kept, image_inputs(), silent)
    assert kept.read_bytes() == whole.read_bytes()


def test_its_own_error_is_measured(network: Path, tmp_path: Path) -> None:
    recipe, stemmed, prepared = StaticRecipe(stem="blocks"), tmp_path / "stemmed.onnx", tmp_path / "prepared.onnx"
    apply(recipe, network, stemmed, image_inputs(), silent)
    recipe.prepare(network, prepared, image_inputs(), silent)
    errors = {layer.node: layer.error for layer in layer_errors(prepared, stemmed, image_inputs(4), silent)}
    assert 0 < errors["Conv_c0"] < 0.05


def test_pixels_are_not_cut_off(network: Path, tmp_path: Path) -> None:
    path, inputs = tmp_path / "stemmed.onnx", image_inputs()
    apply(StaticRecipe(stem="blocks"), network, path, inputs, silent)
    graph = onnx.load(path).graph
    first = next(each for each in graph.node if each.op_type == "QuantizeLinear" and each.input[0] == "pixels")
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    scale, zero = (float(constants[name]) for name in first.input[1:])
    lowest, highest = (extreme([extreme(each["pixels"]) for each in inputs]) for extreme in (np.min, np.max))
    assert -zero * scale == pytest.approx(lowest, abs=scale)
    assert (255 - zero) * scale == pytest.approx(highest, abs=scale)


def test_the_engine_puts_pixels_in_order_once_and_nothing_else(tmp_path: Path) -> None:
    """What it gains by: a rectifier, a pool and the next layer take the stem's output as it stands."""
    draw = np.random.default_rng(2)
    weights = {"w0": draw.normal(0, 0.2, (16, 3, 7, 7)), "w1": draw.normal(0, 0.2, (16, 16, 3, 3))}
    nodes = [
        node("Conv", "pixels w0", "c0", strides=[2, 2], pads=[3] * 4),
        node("Relu", "c0", "r0"),
        node("MaxPool", "r0", "p0", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
        node("Conv", "p0 w1", "c1", pads=[1] * 4),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 w1", "c2", pads=[1] * 4),
        node("ReduceMean", "c2", "mean", axes=[2, 3]),
    ]
    image = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, 32, 32])
    mean = helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["batch", 16, 1, 1])
    source, path, optimised = (
        write(tmp_path / "float.onnx", nodes, weights, image, mean),
        tmp_path / "i",
        tmp_path / "o",
    )
    apply(StaticRecipe(stem="blocks"), source, path, [{"pixels": np.ones((1, 3, 32, 32), np.float32)}], silent)
    session(path, optimized_model_filepath=str(optimised))
    operators = [each.op_type for each in onnx.load(optimised).graph.node]
    before_head = operators[: operators.index("DequantizeLinear")]
    assert before_head[:4] == ["QuantizeLinear", "Transpose", "Reshape", "QLinearConv"]
    assert before_head.count("Transpose") <= 2  # the other before the head
    assert "Conv" not in operators


def test_each_form_of_a_stem_is_for_one_engine() -> None:
    assert StaticRecipe(stem="blocks").engines == ("onnx",)
    assert StaticRecipe(stem="plain").engines == ("openvino",)
    assert Stem("conv", "x", channels=3, columns=224, kernel=7, stride=2, left=3).blocks == 3
