"""Convolutions that tundish's kernels compute: which are found, and that nothing else changes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from support.float_graphs import image_inputs, write_mobile

import tundish_kernels
from tundish.engines import load_file
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import silent
from tundish_exporters.quantize import apply
from tundish_exporters.quantize.convolution_recipe import ConvolutionKernelRecipe
from tundish_exporters.quantize.kernels import DOMAIN, rounding_of, use_kernels
from tundish_exporters.quantize.static import StaticRecipe
from tundish_exporters.report.activations import activation_histograms
from tundish_exporters.search.workshop import Workshop


@pytest.fixture(scope="module")
def mobile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mobile(tmp_path_factory.mktemp("mobile") / "float.onnx")


def made(recipe: StaticRecipe | ConvolutionKernelRecipe, source: Path, directory: Path) -> Path:
    path = directory / f"{recipe.name}.onnx"
    apply(recipe, source, path, image_inputs(), silent)
    return path


def kernels_in(path: Path) -> list[str]:
    return [node.name for node in onnx.load(path).graph.node if node.domain == DOMAIN]


@pytest.mark.parametrize(
    ("recipe", "kernels"),
    [
        (StaticRecipe(), ["Conv_c2", "Conv_c3"]),
        (StaticRecipe(stem="blocks"), ["Conv_c2", "Conv_c3"]),
        (StaticRecipe(stem="plain"), ["Conv_c0", "Conv_c2", "Conv_c3"]),
        (StaticRecipe(ranges="percentile"), ["Conv_c2", "Conv_c3"]),
    ],
)
@pytest.mark.parametrize("dense", [False, True])
def test_answers_are_the_same_to_the_bit(
    recipe: StaticRecipe, kernels: list[str], dense: bool, mobile: Path, tmp_path: Path
) -> None:
    stock = load_file("onnx", made(recipe, mobile, tmp_path), precision="int8", threads=1)
    path = made(ConvolutionKernelRecipe(recipe=recipe, dense=dense), mobile, tmp_path)
    assert kernels_in(path) == (sorted({*kernels, "Conv_c1", "Conv_c4"}) if dense else kernels)
    for threads in (1, 2):
        ours = load_file("onnx", path, precision="int8", threads=threads)
        assert ours.inputs == stock.inputs
        for given in image_inputs(4):
            batch = {"pixels": np.concatenate([given["pixels"], given["pixels"][:, :, ::-1]])}
            assert np.array_equal(ours.run(batch)["logits"], stock.run(batch)["logits"])


def test_onnx_runtime_puts_nothing_in_another_order_around_them(mobile: Path, tmp_path: Path) -> None:
    """Its own operators have channels last, too, so that transpositions cost nothing."""
    counts = []
    for recipe in (StaticRecipe(), ConvolutionKernelRecipe(recipe=StaticRecipe())):
        options = onnxruntime.SessionOptions()
        options.register_custom_ops_library(str(tundish_kernels.onnxruntime_library()))
        options.optimized_model_filepath = str(tmp_path / f"optimized-{recipe.name}.onnx")
        options.log_severity_level = 4
        onnxruntime.InferenceSession(made(recipe, mobile, tmp_path), options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(options.optimized_model_filepath).graph.node
        counts.append(Counter(each.op_type for each in nodes))
    stock, kernels = counts
    assert kernels["Transpose"] == stock["Transpose"]
    assert kernels["QLinearConv"] == stock["QLinearConv"] - 2
    assert kernels["QLinearDepthwiseConv"] == 2


def test_only_what_stands_for_the_convolutions_changes(mobile: Path, tmp_path: Path) -> None:
    stock = onnx.load(made(StaticRecipe(), mobile, tmp_path))
    changed = onnx.load(made(ConvolutionKernelRecipe(recipe=StaticRecipe()), mobile, tmp_path))
    assert [each.name for each in changed.graph.output] == [each.name for each in stock.graph.output]
    constants = [{tensor.name for tensor in model.graph.initializer} for model in (stock, changed)]
    assert constants[1] < constants[0]  # but for scales of biases, which nothing reads any more
    assert {read for each in changed.graph.node for read in each.input if read} >= constants[1]
    assert {opset.domain for opset in changed.opset_import} == {opset.domain for opset in stock.opset_import} | {DOMAIN}


def test_layers_kept_in_float_have_no_kernel(mobile: Path, tmp_path: Path) -> None:
    recipe = ConvolutionKernelRecipe(recipe=StaticRecipe()).keeping(frozenset({"Conv_c2"}))
    assert recipe == ConvolutionKernelRecipe(recipe=StaticRecipe().keeping(frozenset({"Conv_c2"})))
    assert kernels_in(made(recipe, mobile, tmp_path)) == ["Conv_c3"]


@pytest.mark.parametrize(
    "recipe",
    [StaticRecipe(symmetric=True), StaticRecipe(kept=frozenset({"Conv_c2", "Conv_c3"}))],
    ids=["int8 activations", "in float"],
)
def test_a_network_without_any_is_refused(recipe: StaticRecipe, mobile: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"^No convolution reads and gives integers in a way that a kernel computes"):
        made(ConvolutionKernelRecipe(recipe=recipe), mobile, tmp_path)
    assert list(tmp_path.iterdir()) == []


def rounded_graph(**changes: Any) -> onnx.ModelProto:
    """A depthwise convolution in Q/DQ form, which reads a tensor of integers."""
    draw = np.random.default_rng(1)
    of_conv = {"group": 8, "pads": [1] * 4, **changes.pop("of_conv", {})}
    constants: dict[str, Any] = {
        "scale": np.float32(0.02),
        "zero": np.uint8(120),
        "weights": draw.integers(-127, 128, (8, 1, 3, 3), np.int8),
        "weight_scale": np.full(8, 0.01, np.float32),
        "weight_zero": np.zeros(8, np.int8),
        "bias": draw.integers(-99, 99, 8, np.int32),
        "bias_scale": np.full(8, 0.0002, np.float32),
        "bias_zero": np.zeros(8, np.int32),
        "out_scale": np.float32(0.05),
        "out_zero": np.uint8(100),
        **changes.pop("constants", {}),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["given"]),
        helper.make_node("DequantizeLinear", ["weights", "weight_scale", "weight_zero"], ["filters"], axis=0),
        helper.make_node("DequantizeLinear", ["bias", "bias_scale", "bias_zero"], ["biases"], axis=0),
        helper.make_node("Conv", ["given", "filters", "biases"], ["conv"], name="conv", **of_conv),
        helper.make_node("QuantizeLinear", ["conv", "out_scale", "out_zero"], ["y"]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.UINT8, ["n", 8, "i", "j"])]
    if changes.pop("shows_float", False):
        outputs.append(helper.make_tensor_value_info("conv", TensorProto.FLOAT, ["n", 8, "i", "j"]))
    assert not changes
    given = helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", 8, "h", "w"])
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", [given], outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def without_pads_by_name(model: onnx.ModelProto) -> onnx.ModelProto:
    """ONNX takes one of the two ways to say what is added around an image."""
    attributes = model.graph.node[3].attribute
    if any(each.name == "auto_pad" for each in attributes):
        attributes.remove(next(each for each in attributes if each.name == "pads"))
    return model


def answers(model: onnx.ModelProto, images: NDArray[Any]) -> NDArray[np.uint8]:
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(tundish_kernels.onnxruntime_library()))
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["y"], {"x": images})[0])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"of_conv": {"strides": [2, 1], "pads": [0, 1, 2, 3]}},
        {"of_conv": {"dilations": [1, 2], "pads": [0] * 4}},
        {"constants": {"weight_scale": np.float32(0.01), "weight_zero": np.int8(0)}},
        {"of_conv": {"auto_pad": "VALID", "strides": [2, 2]}},
        {"of_conv": {"auto_pad": "SAME_UPPER"}, "constants": {"weights": np.ones((8, 1, 4, 3), np.int8)}},
        {"of_conv": {"auto_pad": "SAME_LOWER"},
         "constants": {"weights": np.ones((8, 1, 4, 2), np.int8)}},
    ],
    ids=["plain", "strides and pads", "dilations", "one scale", "none added", "more behind", "more before"],
)  # fmt: skip
@pytest.mark.parametrize("has_biases", [True, False])
def test_forms_of_convolutions(settings: dict[str, Any], has_biases: bool) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 11), np.uint8)
    model = without_pads_by_name(rounded_graph(**settings))
    if not has_biases:
        del model.graph.node[3].input[2]
    before = answers(model, images)
    assert use_kernels(model, dense=True) == 1
    onnx.checker.check_model(model)
    assert np.array_equal(answers(model, images), before)


@pytest.mark.parametrize(
    "settings",
    [
        {"of_conv": {"group": 4}, "constants": {"weights": np.ones((8, 2, 3, 3), np.int8)}},
        {"of_conv": {"auto_pad": "SAME_UPPER", "strides": [2, 2]}},
        {"constants": {"weight_zero": np.full(8, 1, np.int8)}},
        {"constants": {"zero": np.int8(3)}},
        {"constants": {"out_zero": np.int8(3)}},
        {"constants": {"bias_scale": np.full(8, 0.0003, np.float32)}},
        {"constants": {"bias_zero": np.ones(8, np.int32)}},
        {"constants": {"bias": np.full(8, 2**31 - 1, np.int32)}},
        {"constants": {"bias": np.full(8, 10**8, np.int32), "out_scale": np.float32(1e-6)}},
        {"shows_float": True},
    ],
    ids=["groups", "padding by the image's size", "weights not around zero", "int8", "rounded to int8",
         "biases in other steps", "biases not around zero", "sums beyond 32 bits", "scaled sums beyond 32 bits",
         "float output"],
)  # fmt: skip
def test_others_stay_as_they_are(settings: dict[str, Any]) -> None:
    model = without_pads_by_name(rounded_graph(**settings))
    before = model.SerializeToString()
    assert use_kernels(model, dense=True) == 0
    assert model.SerializeToString() == before


def dense_graph(**changes: Any) -> onnx.ModelProto:
    weights = np.random.default_rng(2).integers(-127, 128, (8, 8, 3, 3), np.int8)
    return rounded_graph(of_conv={"group": 1, **changes}, constants={"weights": weights})


@pytest.mark.parametrize(
    "of_conv",
    [{}, {"strides": [2, 1], "pads": [0, 1, 2, 3]}, {"dilations": [1, 2], "pads": [0] * 4}],
    ids=["plain", "strides and pads", "dilations"],
)
def test_dense_ones_are_taken_where_they_are_asked_for(of_conv: dict[str, Any]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 11), np.uint8)
    model = dense_graph(**of_conv)
    before = answers(model, images)
    assert use_kernels(model, dense=False) == 0
    assert use_kernels(model, dense=True) == 1
    assert [each.op_type for each in model.graph.node] == ["Transpose", "QLinearDenseConv", "Transpose"]
    onnx.checker.check_model(model)
    assert np.array_equal(answers(model, images), before)


def pooled_graph(*, into: dict[str, Any] | None = None, shows_float: bool = False, **settings: Any) -> onnx.ModelProto:
    """A pool in Q/DQ form before a dense convolution."""
    model = dense_graph()
    constants = {"pool_scale": np.float32(0.02), "pool_zero": np.uint8(120), **(into or {})}
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    pool = helper.make_node("MaxPool", ["given"], ["pooled"], name="pool", **{"kernel_shape": [3, 2], **settings})
    rounded = helper.make_node("QuantizeLinear", ["pooled", "pool_scale", "pool_zero"], ["pooled_integers"])
    floats = helper.make_node("DequantizeLinear", ["pooled_integers", "pool_scale", "pool_zero"], ["pooled_floats"])
    first, *others = model.graph.node
    nodes = [first, pool, rounded, floats, *(node for node in others if node.output[0] != "biases")]
    conv = next(node for node in nodes if node.op_type == "Conv")
    conv.input[:] = ["pooled_floats", "filters"]  # without biases, which would be in steps of one scale
    graph = helper.make_graph(nodes, "g", model.graph.input, model.graph.output, model.graph.initializer)
    if shows_float:
        graph.output.append(helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["n", 8, "k", "l"]))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"strides": [2, 2], "pads": [1, 1, 1, 0]},
        {"strides": [2, 3], "ceil_mode": 1, "storage_order": 1},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"dilations": [2, 1]},
    ],
    ids=["plain", "strides and pads", "rounded up", "padding by the image's size", "dilations"],
)
def test_pools_beside_dense_ones_have_channels_last(settings: dict[str, Any], tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 11), np.uint8)
    model = pooled_graph(**settings)
    before = answers(model, images)
    assert use_kernels(model, dense=True) == 1
    assert [node.op_type for node in model.graph.node].count("NhwcMaxPool") == 1
    assert np.array_equal(answers(model, images), before)
    # All that is left of the transpositions are those of the input and the output.
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(tundish_kernels.onnxruntime_library()))
    options.optimized_model_filepath, options.log_severity_level = str(tmp_path / "optimized.onnx"), 4
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)
    assert kinds == {"Transpose": 2, "NhwcMaxPool": 1, "QLinearDenseConv": 1}


@pytest.mark.parametrize(
    "settings",
    [
        {"into": {"pool_scale": np.float32(0.03)}},
        {"into": {"pool_zero": np.uint8(121)}},
        {"shows_float": True},
    ],
    ids=["another scale", "another zero", "float output"],
)
def test_other_pools_stay_as_they_are(settings: dict[str, Any]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 11), np.uint8)
    model = pooled_graph(**settings)
    before = answers(model, images)
    assert use_kernels(model, dense=True) == 1
    assert "MaxPool" in {node.op_type for node in model.graph.node}
    assert {opset.domain for opset in model.opset_import} == {"", DOMAIN}
    assert np.array_equal(answers(model, images), before)


def test_pools_alone_stay_as_they_are() -> None:
    model = pooled_graph()
    before = model.SerializeToString()
    assert use_kernels(model, dense=False) == 0
    assert model.SerializeToString() == before


def test_what_a_branch_reads_stays() -> None:
    """The floats that the convolution reads, and constants of its own."""
    model = rounded_graph()
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("then", "other")]
    branches: dict[str, Any] = {
        "then_branch": helper.make_graph([helper.make_node("Add", ["given", "extra"], ["then"])], "a", [], made[:1]),
        "else_branch": helper.make_graph([helper.make_node("Identity", ["given"], ["other"])], "b", [], made[1:]),
    }
    model.graph.node.append(helper.make_node("If", ["is_so"], ["branched"], **branches))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "is_so"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), "extra"))
    model.graph.output.append(helper.make_tensor_value_info("branched", TensorProto.FLOAT, ["n", 8, "h", "w"]))
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 11), np.uint8)
    before = answers(model, images)
    assert use_kernels(model, dense=True) == 1
    assert np.array_equal(answers(model, images), before)
    assert {"given"} <= {name for node in model.graph.node for name in node.output}


def test_what_a_branch_alone_reads_of_a_convolution_keeps_it_as_it_is() -> None:
    model = rounded_graph()
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("then", "other")]
    branches: dict[str, Any] = {
        key: helper.make_graph([helper.make_node("Identity", ["conv"], [info.name])], key, [], [info])
        for key, info in zip(("then_branch", "else_branch"), made, strict=True)
    }
    model.graph.node.append(helper.make_node("If", ["is_so"], ["branched"], **branches))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "is_so"))
    model.graph.output.append(helper.make_tensor_value_info("branched", TensorProto.FLOAT, ["n", 8, "h", "w"]))
    assert use_kernels(model, dense=True) == 0


def stem_graph(**changes: Any) -> onnx.ModelProto:
    """A stem in Q/DQ form, which reads an image in floats whose channels have a grid each."""
    draw = np.random.default_rng(3)
    constants: dict[str, Any] = {
        "image_scale": np.array([0.017, 0.018, 0.019], np.float32),
        "image_zero": np.array([124, 116, 104], np.uint8),
        "scale": np.float32(0.018),
        "zero": np.uint8(114),
        "weights": draw.integers(-127, 128, (20, 3, 3, 3), np.int8),
        "weight_scale": np.full(20, 0.01, np.float32),
        "weight_zero": np.zeros(20, np.int8),
        "bias": draw.integers(-999, 999, 20, np.int32),
        "bias_scale": np.full(20, np.float32(0.018) * np.float32(0.01)),
        "bias_zero": np.zeros(20, np.int32),
        "out_scale": np.float32(0.03),
        "out_zero": np.uint8(100),
        **changes.pop("constants", {}),
    }
    settings = {"pads": [1, 0, 1, 2], "strides": [2, 2], **changes.pop("of_conv", {})}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "image_scale", "image_zero"], ["q"], axis=changes.pop("axis", 1)),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["given"]),
        helper.make_node("DequantizeLinear", ["weights", "weight_scale", "weight_zero"], ["filters"], axis=0),
        helper.make_node("DequantizeLinear", ["bias", "bias_scale", "bias_zero"], ["biases"], axis=0),
        helper.make_node("Conv", ["given", "filters", "biases"], ["conv"], name="conv", **settings),
        helper.make_node("QuantizeLinear", ["conv", "out_scale", "out_zero"], ["y"]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.UINT8, ["n", "c", "i", "j"])]
    if shown := changes.pop("shows", None):
        name, integers = shown
        outputs.append(helper.make_tensor_value_info(name, integers, ["n", "d", "h", "w"]))
    assert not changes
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", constants["weights"].shape[1], "h", "w"])
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", [given], outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"constants": {"image_scale": np.float32(0.02), "image_zero": np.uint8(120)}},
        {"of_conv": {"strides": [1, 3], "pads": [0, 0, 0, 0]}},
        {"constants": {"weights": np.full((20, 3, 7, 5), 3, np.int8)}},
    ],
    ids=["a grid for each channel", "one for all", "strides", "larger kernel"],
)
def test_forms_of_stems(settings: dict[str, Any]) -> None:
    draw, model = np.random.default_rng(4), stem_graph(**settings)
    images = draw.normal(0, 1.5, (2, 3, 45, 38)).astype(np.float32)
    images[0, 0, :2] = (np.arange(76, dtype=np.float32).reshape(2, 38) - 30.5) * np.float32(0.017)  # between two
    images[0, 1, 0, :4] = np.inf, -np.inf, 1e30, -1e30
    before = answers(model, images)
    assert use_kernels(model, dense=False) == 1
    assert [each.op_type for each in model.graph.node] == ["QLinearStemConv", "Transpose"]
    onnx.checker.check_model(model)
    assert np.array_equal(answers(model, images), before)
    assert len(np.unique(before)) > 80


@pytest.mark.parametrize(
    "settings",
    [
        {"axis": 2, "constants": {"image_scale": np.ones(45, np.float32), "image_zero": np.zeros(45, np.uint8)}},
        {"of_conv": {"dilations": [2, 2]}},
        {"constants": {"weights": np.ones((20, 4, 3, 3), np.int8), "image_scale": np.float32(1),
                       "image_zero": np.uint8(0)}},
        {"constants": {"image_scale": np.float32(0.02), "image_zero": np.int8(3), "zero": np.int8(3)}},
        {"shows": ("q", TensorProto.UINT8)},
        {"shows": ("given", TensorProto.FLOAT)},
    ],
    ids=["by rows", "dilations", "four channels", "int8", "integers that others read", "floats that others read"],
)  # fmt: skip
def test_other_stems_stay_as_they_are(settings: dict[str, Any]) -> None:
    model = stem_graph(**settings)
    before = model.SerializeToString()
    assert use_kernels(model, dense=False) == 0
    assert model.SerializeToString() == before


def test_errors_of_layers_are_those_of_the_recipe_without_kernels(mobile: Path, tmp_path: Path) -> None:
    floating = tmp_path / "float.onnx"
    floating.write_bytes(mobile.read_bytes())
    workshop = Workshop(floating, image_inputs(), silent)
    errors = workshop.errors(ConvolutionKernelRecipe(recipe=StaticRecipe()))
    assert {"Conv_c2", "Conv_c3"} < {each.node for each in errors}
    assert errors == workshop.errors(StaticRecipe())


def test_histograms_show_the_ranges_that_kernels_round_to(mobile: Path, tmp_path: Path) -> None:
    recipes = (StaticRecipe(), ConvolutionKernelRecipe(recipe=StaticRecipe()))
    stock, kernels = (
        activation_histograms(mobile, made(recipe, mobile, tmp_path), image_inputs()) for recipe in recipes
    )
    assert {"r2", "c3"} <= {each.tensor for each in kernels}
    assert sorted(kernels, key=lambda each: each.tensor) == sorted(stock, key=lambda each: each.tensor)
    assert rounding_of(helper.make_node("Conv", ["a", "b"], ["c"])) is None
    assert rounding_of(helper.make_node("QuantizedLinear", ["a", "b"], ["c"], domain=DOMAIN)) is None
