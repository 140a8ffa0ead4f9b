"""Transformers' layers that tundish's kernels compute: which are found, and what they answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from support.float_graphs import LAYERS, encoder_inputs, write_encoder
from support.model_families import TEXT_FAMILIES, bert, save_family

from tundish.engines import Arrays, load_file
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import silent
from tundish_exporters.quantize import apply
from tundish_exporters.quantize.dynamic import DynamicRecipe
from tundish_exporters.quantize.kernels import DOMAIN
from tundish_exporters.quantize.linear_recipe import LinearKernelRecipe
from tundish_exporters.quantize.linears import use_linear_kernels
from tundish_exporters.search.workshop import Workshop

SMOOTH = LinearKernelRecipe(recipe=DynamicRecipe(smoothing=0.8))
FUSED = LinearKernelRecipe(recipe=DynamicRecipe(smoothing=0.8, fused=True))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder") / "float.onnx")


@pytest.fixture(scope="module")
def bert_graph(tmp_path_factory: pytest.TempPathFactory, minilm_directory: Path) -> Path:
    from tundish_exporters.sources.huggingface import load_source
    from tundish_exporters.sources.huggingface.source import Choices

    folder = tmp_path_factory.mktemp("bert")
    source = folder / "float.onnx"
    directory = save_family(folder / "bert", bert(minilm_directory))
    load_source(directory, "feature-extraction", Choices()).write_onnx(source)
    return source


def bert_inputs(*lengths: int) -> list[dict[str, NDArray[Any]]]:
    draw = np.random.default_rng(1)
    return [
        {
            "input_ids": draw.integers(1000, 20000, (1, length)),
            "attention_mask": np.ones((1, length), np.int64),
            "token_type_ids": np.zeros((1, length), np.int64),
        }
        for length in lengths
    ]


def made(recipe: LinearKernelRecipe, source: Path, directory: Path, inputs: list[Any]) -> Path:
    path = directory / f"{recipe.name}.onnx"
    apply(recipe, source, path, inputs, silent)
    return path


def answers(path: Path, inputs: Arrays, threads: int = 1) -> NDArray[Any]:
    (made,) = load_file("onnx", path, precision="int8", threads=threads).run(inputs).values()
    return np.asarray(made)


def kernels_in(path: Path) -> dict[str, str]:
    return {node.name: node.op_type for node in onnx.load(path).graph.node if node.domain == DOMAIN}


def cosine(left: NDArray[Any], right: NDArray[Any]) -> float:
    left, right = left.ravel().astype(np.float64), right.ravel().astype(np.float64)
    return float(left @ right / np.sqrt((left @ left) * (right @ right)))


def test_products_become_kernels_with_what_follows_them(encoder: Path, tmp_path: Path) -> None:
    path = made(SMOOTH, encoder, tmp_path, encoder_inputs())
    expected = {}
    for layer in range(LAYERS):
        for name in ("q", "k", "v", "up"):
            expected[f"MatMul_{name}_{layer}"] = "QuantizedLinear"
        for name in ("o", "down"):
            expected[f"MatMul_{name}_{layer}"] = "QuantizedLinearNorm"
    assert kernels_in(path) == expected
    for inputs in encoder_inputs():
        assert cosine(answers(path, inputs), answers(encoder, inputs)) > 0.99


def test_attention_becomes_a_kernel_and_heeds_the_mask(bert_graph: Path, tmp_path: Path) -> None:
    path = made(FUSED, bert_graph, tmp_path, bert_inputs(5, 9))
    operators = list(kernels_in(path).values())
    layers = operators.count("SelfAttention")
    assert layers > 1
    assert operators.count("QuantizedLinear") == 2 * layers  # projections, and the first of two with its Gelu
    assert operators.count("QuantizedLinearNorm") == 2 * layers
    left = {node.op_type for node in onnx.load(path).graph.node} - set(operators)
    assert not left & {"MatMul", "Gelu", "LayerNormalization", "Mul", "Attention"}
    (text,) = bert_inputs(9)
    alone = answers(path, {name: array[:, :4] for name, array in text.items()})
    padded = {name: np.repeat(array, 2, axis=0) for name, array in text.items()}
    padded["attention_mask"][1, 4:] = 0
    whole = answers(bert_graph, padded)
    for threads in (1, 2):
        batch = answers(path, padded, threads)
        assert cosine(batch[0], whole[0]) > 0.99
        assert cosine(batch[1, :4], whole[1, :4]) > 0.99
        assert np.array_equal(batch[0], answers(path, text)[0]), "who else asks changes nothing"
        assert np.array_equal(batch[1, :4], alone[0]), "nor does padding"


@pytest.mark.parametrize(("family", "attends"), [("roberta", True), ("distilbert", False), ("deberta", False)])
def test_families_keep_their_answers(family: str, attends: bool, tmp_path: Path, minilm_directory: Path) -> None:
    """Masks are given to attention in several forms, and not every attention is one that ONNX Runtime fuses."""
    from tundish_exporters.sources.huggingface import load_source
    from tundish_exporters.sources.huggingface.source import Choices

    source = tmp_path / "float.onnx"
    directory = save_family(tmp_path / "model", TEXT_FAMILIES[family](minilm_directory))
    load_source(directory, "text-classification", Choices()).write_onnx(source)
    wanted = {given.name for given in onnx.load(source).graph.input}
    draw = np.random.default_rng(5)
    inputs: dict[str, NDArray[Any]] = {
        "input_ids": draw.integers(5, 60, (2, 12)),
        "attention_mask": np.ones((2, 12), np.int64),
        "token_type_ids": np.zeros((2, 12), np.int64),
    }
    inputs = {name: array for name, array in inputs.items() if name in wanted}
    inputs["attention_mask"][1, 7:] = 0
    path = made(FUSED if attends else SMOOTH, source, tmp_path, [inputs])
    assert ("SelfAttention" in kernels_in(path).values()) == attends
    assert "QuantizedLinearNorm" in kernels_in(path).values()
    whole = answers(source, inputs)
    assert cosine(answers(path, inputs), whole) > 0.99
    text = {name: array[1:, :7] for name, array in inputs.items()}
    if attends:
        assert np.array_equal(answers(path, text), answers(path, inputs)[1:])


def test_without_smoothing_and_with_embeddings_in_float(encoder: Path, tmp_path: Path) -> None:
    recipe = LinearKernelRecipe(recipe=DynamicRecipe(embeddings=False))
    path = made(recipe, encoder, tmp_path, [])
    assert "Gather" in {node.op_type for node in onnx.load(path).graph.node}
    assert not any(tensor.name.startswith("words_quantized") for tensor in onnx.load(path).graph.initializer)
    (inputs, *_) = encoder_inputs()
    assert cosine(answers(path, inputs), answers(encoder, inputs)) > 0.9


def test_layers_kept_in_float_have_no_kernel(encoder: Path, tmp_path: Path) -> None:
    kept = frozenset({"MatMul_up_0", "MatMul_o_1"})
    recipe = SMOOTH.keeping(kept)
    assert recipe == LinearKernelRecipe(recipe=SMOOTH.recipe.keeping(kept))
    path = made(recipe, encoder, tmp_path, encoder_inputs())
    assert len(kernels_in(path)) == 6 * LAYERS - 2
    assert kept <= {node.name for node in onnx.load(path).graph.node if node.op_type == "MatMul"}


def test_errors_of_layers_are_those_of_the_recipe_without_kernels(encoder: Path, tmp_path: Path) -> None:
    floating = tmp_path / "float.onnx"
    floating.write_bytes(encoder.read_bytes())
    workshop = Workshop(floating, encoder_inputs(), silent)
    errors = workshop.errors(SMOOTH)
    assert "MatMul_up_0" in {each.node for each in errors}
    assert errors == workshop.errors(SMOOTH.recipe)


def graph_of(nodes: list[onnx.NodeProto], outputs: list[str], **changes: NDArray[Any]) -> onnx.ModelProto:
    """Some nodes that read `x`, and constants of 8 channels."""
    draw = np.random.default_rng(1)
    constants = {
        "w": draw.normal(0, 1, (8, 8)).astype(np.float32),
        "b": draw.normal(0, 1, 8).astype(np.float32),
        "gain": np.ones(8, np.float32),
        **changes,
    }
    shape: list[str | int | None] = ["batch", "tokens", 8]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, ir_version=9, opset_imports=opsets)


def node(operator: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), [output], name=output, **attributes)


PRODUCT = node("MatMul", "x w", "y")
BIASED = node("Add", "y b", "z")
NORMALISED = node("LayerNormalization", "x gain b", "n")
NORM_OF_X = [NORMALISED, node("MatMul", "n w", "y"), node("Add", "n y", "z")]


@pytest.mark.parametrize(
    ("nodes", "output", "operators"),
    [
        ([PRODUCT], "y", ["QuantizedLinear"]),
        ([PRODUCT, BIASED], "z", ["QuantizedLinear"]),
        ([node("MatMul", "x w", "y"), node("Add", "b y", "z")], "z", ["QuantizedLinear"]),
        ([node("Gemm", "x w b", "y")], "y", ["QuantizedLinear"]),
        ([node("Gemm", "x w", "y", transB=1)], "y", ["QuantizedLinear"]),
        ([PRODUCT, BIASED, node("Gelu", "z", "g", domain="com.microsoft")], "g", ["QuantizedLinear"]),
        ([PRODUCT, node("Gelu", "y", "g")], "g", ["QuantizedLinear"]),
        ([PRODUCT, node("Gelu", "y", "g", approximate="tanh")], "g", ["QuantizedLinear", "Gelu"]),
        ([PRODUCT, BIASED, node("Relu", "z", "r")], "r", ["QuantizedLinear", "Relu"]),
        ([*NORM_OF_X, node("LayerNormalization", "z gain b", "m")], "m", ["LayerNormalization", "QuantizedLinearNorm"]),
        (
            [*NORM_OF_X, node("LayerNormalization", "z gain b", "m", axis=1)],
            "m",
            ["LayerNormalization", "QuantizedLinear", "Add", "LayerNormalization"],
        ),
        # What is added may have fewer dimensions, as tables of positions have.
        (
            [PRODUCT, node("Add", "x y", "z"), node("LayerNormalization", "z gain b", "m")],
            "m",
            ["QuantizedLinear", "Add", "LayerNormalization"],
        ),
    ],
)
def test_what_goes_with_a_product(nodes: list[onnx.NodeProto], output: str, operators: list[str]) -> None:
    if nodes[0].op_type == "Gemm":
        nodes = [helper.make_node("Squeeze", ["x", "axes"], ["x2"], name="squeeze"), *nodes]
        nodes[1].input[0] = "x2"
        operators = ["Squeeze", *operators]
    model = graph_of(nodes, [output], axes=np.array([0]))
    draw = np.random.default_rng(2)
    x = draw.normal(0, 1, (1, 6, 8)).astype(np.float32)
    before = run(model, x)
    assert use_linear_kernels(model, frozenset()) == 1
    assert [each.op_type for each in model.graph.node] == operators
    (after,) = run(model, x)
    assert np.abs(after - before[0]).max() < 0.1


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        ([PRODUCT, BIASED], ["y", "z"]),
        ([PRODUCT, BIASED, node("Mul", "y z", "p")], ["p"]),
        ([*NORM_OF_X, node("LayerNormalization", "z gain b", "m"), node("Mul", "m z", "p")], ["p"]),
    ],
    ids=["an output", "read twice", "a sum read twice"],
)
def test_what_others_read_stays(nodes: list[onnx.NodeProto], outputs: list[str]) -> None:
    model = graph_of(nodes, outputs)
    x = np.random.default_rng(3).normal(0, 1, (1, 6, 8)).astype(np.float32)
    before = run(model, x)
    assert use_linear_kernels(model, frozenset()) == 1
    for mine, other in zip(run(model, x), before, strict=True):
        assert np.abs(mine - other).max() < 0.03 * np.abs(other).max()


def run(model: onnx.ModelProto, x: NDArray[Any]) -> list[NDArray[Any]]:
    import onnxruntime

    import tundish_kernels

    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(tundish_kernels.onnxruntime_library()))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["SkipLayerNormFusion"],  # as the engine does; it takes any axis for the last
    )
    return [np.asarray(each) for each in session.run(None, {"x": x})]


@pytest.mark.parametrize("tiny", [0.0, 3e-44, -1e-37])
def test_weights_of_an_output_that_are_too_small_for_a_step_are_zeros(tiny: float) -> None:
    weights = np.random.default_rng(2).normal(0, 1, (8, 8)).astype(np.float32)
    weights[:, 3] = tiny
    model = graph_of([PRODUCT], ["y"], w=weights)
    x = np.random.default_rng(3).normal(0, 1, (2, 5, 8)).astype(np.float32)
    (before,) = run(model, x)
    assert use_linear_kernels(model, frozenset()) == 1
    (after,) = run(model, x)
    assert np.abs(after - before).max() < 0.03 * np.abs(before).max()
    assert not np.delete(after, [0, 1, 2, 4, 5, 6, 7], -1).any()


def test_layers_that_share_weights_go_on_sharing_them() -> None:
    nodes = [PRODUCT, node("MatMul", "y w", "z"), node("MatMul", "z w2", "p")]
    model = graph_of(nodes, ["p"], w2=np.eye(8, dtype=np.float32))
    assert use_linear_kernels(model, frozenset()) == 3
    read = [each.input[1] for each in model.graph.node]
    assert read[0] == read[1] != read[2]
    assert sum(tensor.data_type == TensorProto.INT8 for tensor in model.graph.initializer) == 2
    assert not {"w", "w2"} & {tensor.name for tensor in model.graph.initializer}


@pytest.mark.parametrize(
    ("nodes", "changes"),
    [
        ([node("MatMul", "w x", "y")], {}),
        ([node("MatMul", "x x", "y")], {}),
        ([PRODUCT], {"w": np.full((8, 8), np.inf, np.float32)}),
        ([PRODUCT], {"w": np.ones((8, 8), np.float64)}),
        ([PRODUCT], {"w": np.ones((3, 8, 8), np.float32)}),
        ([node("Gemm", "x w b", "y", alpha=2.0)], {}),
        ([node("Gemm", "x w b", "y")], {"b": np.ones((1, 8), np.float32)}),
    ],
    ids=["weights first", "no weights", "not finite", "double", "three dimensions", "scaled", "other biases"],
)
def test_other_products_stay_as_they_are(nodes: list[onnx.NodeProto], changes: dict[str, NDArray[Any]]) -> None:
    model = graph_of(nodes, ["y"], **changes)
    before = model.SerializeToString()
    assert use_linear_kernels(model, frozenset()) == 0
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    "attributes",
    [{"unidirectional": 1}, {"do_rotary": 1}, {"qkv_hidden_sizes": [8, 8, 8]}],
    ids=["causal", "rotary", "other sizes"],
)
def test_other_attentions_stay_as_they_are(attributes: dict[str, Any]) -> None:
    wide = {"wide": np.ones((8, 24), np.float32), "wide_bias": np.ones(24, np.float32)}
    attention = node("Attention", "x wide wide_bias", "y", domain="com.microsoft", num_heads=2)
    assert use_linear_kernels(graph_of([attention], ["y"], **wide), frozenset()) == 1
    other = node("Attention", "x wide wide_bias", "y", domain="com.microsoft", num_heads=2, **attributes)
    assert use_linear_kernels(graph_of([other], ["y"], **wide), frozenset()) == 0
    counted = node("Attention", "x wide wide_bias lengths", "y", domain="com.microsoft", num_heads=2)
    model = graph_of([counted], ["y"], **wide, lengths=np.ones(1, np.int32))
    assert use_linear_kernels(model, frozenset()) == 0, "a mask of another form"


def test_a_network_without_any_is_refused(encoder: Path, tmp_path: Path) -> None:
    products = frozenset(each.name for each in onnx.load(encoder).graph.node if each.op_type == "MatMul")
    with pytest.raises(ExportError, match=r"^No product by constant weights is one that a kernel computes"):
        made(SMOOTH.keeping(products), encoder, tmp_path, encoder_inputs())
    assert list(tmp_path.iterdir()) == []
