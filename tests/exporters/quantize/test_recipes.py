"""What each recipe makes of small graphs: what engines take, what it costs, and which layers stay in float."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from support.float_graphs import (
    encoder_inputs,
    float_layers,
    image_inputs,
    stored,
    write_convolutions,
    write_encoder,
)
from support.model_families import bert, save_family

from tundish.engines import load_file
from tundish_exporters.candidates import Candidate
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import silent
from tundish_exporters.quantize import Recipe, apply
from tundish_exporters.quantize.blocks import BlockRecipe
from tundish_exporters.quantize.dynamic import DynamicRecipe
from tundish_exporters.quantize.half import HalfRecipe
from tundish_exporters.quantize.static import StaticRecipe

OF_TEXTS: tuple[Recipe, ...] = (
    DynamicRecipe(),
    DynamicRecipe(narrow=True, smoothing=0.7),
    DynamicRecipe(embeddings=False),
    StaticRecipe(operators="products", smoothing=0.7, narrow=True),
    StaticRecipe(operators="products", ranges="percentile", symmetric=True),
    BlockRecipe(bits=8),
    BlockRecipe(bits=4, block=16),
    HalfRecipe(),
)
OF_IMAGES: tuple[Recipe, ...] = (
    StaticRecipe(),
    StaticRecipe(ranges="extremes", narrow=True),
    StaticRecipe(ranges="percentile"),
    StaticRecipe(ranges="entropy", per_channel=False),
    StaticRecipe(symmetric=True),
    StaticRecipe(stem="blocks"),
    StaticRecipe(ranges="percentile", stem="plain"),
    HalfRecipe(),
)


@pytest.fixture(autouse=True, scope="module")
def engines() -> None:
    """All that are installed."""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder") / "float.onnx")


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_convolutions(tmp_path_factory.mktemp("convolutions") / "float.onnx")


def made(recipe: Recipe, source: Path, directory: Path, inputs: list[dict[str, NDArray[Any]]]) -> Path:
    path = directory / f"{recipe.name}.onnx"
    apply(recipe, source, path, inputs, silent)
    return path


def similarity(first: Candidate, second: Candidate, inputs: list[dict[str, NDArray[Any]]]) -> float:
    """The mean cosine of what two files answer, each on its engine."""
    one, other = (candidate.load(threads=1) for candidate in (first, second))
    cosines = []
    for given in inputs:
        (a,), (b,) = (engine.run(given).values() for engine in (one, other))
        a, b = (np.asarray(rows, np.float64).reshape(-1, rows.shape[-1]) for rows in (a, b))
        norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
        cosines.append(((a * b).sum(-1) / np.maximum(norms, 1e-12)).mean())
    return float(np.mean(cosines))


def check_recipe(
    recipe: Recipe, source: Path, directory: Path, inputs: list[dict[str, NDArray[Any]]], kept: str, least: float
) -> None:
    """Loads on its engines, answers nearly as the float graph does, leaves `kept` in float, gives the same bytes."""
    keeping = recipe.keeping(frozenset({kept}))
    path = made(keeping, source, directory, inputs)
    floating = Candidate("onnx", "fp32", source, "")
    for engine in recipe.engines:
        assert similarity(floating, Candidate(engine, recipe.precision, path, ""), inputs) > least
    assert kept in float_layers(path)
    assert float_layers(path) < float_layers(source)
    again = directory / "again.onnx"
    apply(keeping, source, again, inputs, silent)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("recipe", OF_TEXTS, ids=lambda recipe: recipe.name)
def test_a_transformer_survives(recipe: Recipe, encoder: Path, tmp_path: Path) -> None:
    least = 0.95 if recipe.precision == "int4" else 0.985
    check_recipe(recipe, encoder, tmp_path, encoder_inputs(), "MatMul_up_1", least)


@pytest.mark.parametrize("recipe", OF_IMAGES, ids=lambda recipe: recipe.name)
def test_a_convolutional_network_survives(recipe: Recipe, convolutions: Path, tmp_path: Path) -> None:
    check_recipe(recipe, convolutions, tmp_path, image_inputs(), "Conv_c2", 0.98)


def test_names_tell_recipes_and_kept_layers_apart() -> None:
    recipes = [*OF_TEXTS, *OF_IMAGES[:-1]]
    kept = [frozenset({"a"}), frozenset({"b"}), frozenset({"a", "b"})]
    names = [each.name for recipe in recipes for each in (recipe, *map(recipe.keeping, kept))]
    assert len(set(names)) == len(names)
    both = DynamicRecipe().keeping(kept[0]).keeping(kept[1])
    assert both == DynamicRecipe().keeping(kept[2])
    assert both.description == "dynamic, weights int8 per channel, 2 layers in float"


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [(DynamicRecipe(), DynamicRecipe(narrow=True)), (StaticRecipe(), StaticRecipe(narrow=True))],
    ids=["dynamic", "static"],
)
def test_narrow_weights_have_seven_bits(
    wide: Recipe, narrow: Recipe, encoder: Path, convolutions: Path, tmp_path: Path
) -> None:
    dynamic = isinstance(wide, DynamicRecipe)
    source, inputs = (encoder, []) if dynamic else (convolutions, image_inputs())
    largest = []
    for recipe in (wide, narrow):
        arrays = stored(made(recipe, source, tmp_path, inputs), TensorProto.INT8)
        largest.append({int(np.abs(array.astype(int)).max()) for array in arrays})
    assert largest == [{127}, {64}] or largest == [{127}, {63}]


def test_files_shrink_as_their_precision_says(encoder: Path, tmp_path: Path) -> None:
    whole = encoder.stat().st_size
    shares = {
        recipe.name: made(recipe, encoder, tmp_path, []).stat().st_size / whole
        for recipe in (HalfRecipe(), DynamicRecipe(), BlockRecipe(bits=4))
    }
    assert shares["fp16"] == pytest.approx(0.5, abs=0.03)
    assert shares["dynamic-u8s8"] == pytest.approx(0.25, abs=0.05)
    assert shares["weights-int4-block32"] == pytest.approx(0.2, abs=0.05)


def test_fp16_keeps_inputs_and_outputs(convolutions: Path, tmp_path: Path) -> None:
    path = made(HalfRecipe(), convolutions, tmp_path, [])
    candidate = Candidate("onnx", "fp16", path, "")
    assert candidate.name == "onnx-fp16-cpu"
    engine, floating = candidate.load(threads=1), load_file("onnx", convolutions, precision="fp32", threads=1)
    assert (engine.inputs, engine.outputs) == (floating.inputs, floating.outputs)
    assert len(stored(path, TensorProto.FLOAT16)) == 5


def test_all_operators_of_a_transformer_cost_more_than_its_products(encoder: Path, tmp_path: Path) -> None:
    floating = Candidate("onnx", "fp32", encoder, "")
    inputs = encoder_inputs()
    products, everything = (
        similarity(floating, Candidate("onnx", "int8", made(recipe, encoder, tmp_path, inputs), ""), inputs)
        for recipe in (StaticRecipe(operators="products", narrow=True), StaticRecipe(operators="all", narrow=True))
    )
    assert 1 - everything > 3 * (1 - products)


def test_the_layer_with_outliers_is_the_one_to_keep(tmp_path: Path) -> None:
    """Corrected biases give the mean of a spoilt layer back, so that what differs from input to input tells."""
    source, inputs = write_convolutions(tmp_path / "float.onnx", outlier=True), image_inputs()

    def differences(candidate: Candidate) -> NDArray[np.float64]:
        engine = candidate.load(threads=1)
        answers = np.concatenate([np.asarray(engine.run(given)["logits"], np.float64) for given in inputs])
        centred: NDArray[np.float64] = answers - answers.mean(0)
        return centred

    floating = Candidate("onnx", "fp32", source, "")
    spoilt, kept, other = (
        Candidate("onnx", "int8", made(recipe, source, tmp_path, inputs), "")
        for recipe in (
            StaticRecipe(),
            StaticRecipe().keeping(frozenset({"Conv_c2"})),
            StaticRecipe().keeping(frozenset({"Conv_c1"})),
        )
    )
    assert similarity(floating, kept, inputs) > 0.98
    wanted = differences(floating)
    explained = [1 - np.var(wanted - differences(each)) / np.var(wanted) for each in (spoilt, kept, other)]
    assert explained[1] > 0.95
    assert max(explained[0], explained[2]) < 0.9


def test_nodes_without_names_get_some(encoder: Path, tmp_path: Path) -> None:
    model = onnx.load(encoder)
    for number, node in enumerate(model.graph.node):
        node.name = "" if number % 2 else "same"
    onnx.save(model, tmp_path / "unnamed.onnx")
    DynamicRecipe().prepare(tmp_path / "unnamed.onnx", tmp_path / "prepared.onnx", [], silent)
    names = [node.name for node in onnx.load(tmp_path / "prepared.onnx").graph.node]
    assert len(set(names)) == len(names)
    assert "" not in names


def test_attention_is_fused_and_quantised(tmp_path: Path, minilm_directory: Path) -> None:
    from tundish_exporters.sources.huggingface import load_source
    from tundish_exporters.sources.huggingface.source import Choices

    directory = save_family(tmp_path / "bert", bert(minilm_directory))
    source = tmp_path / "float.onnx"
    load_source(directory, "feature-extraction", Choices()).write_onnx(source)
    draw = np.random.default_rng(1)
    inputs: list[dict[str, NDArray[Any]]] = [
        {
            "input_ids": draw.integers(1000, 20000, (1, length)),
            "attention_mask": np.ones((1, length), np.int64),
            "token_type_ids": np.zeros((1, length), np.int64),
        }
        for length in (5, 9)
    ]
    recipe = DynamicRecipe(fused=True, smoothing=0.8, narrow=True)
    recipe.prepare(source, tmp_path / "prepared.onnx", inputs, silent)
    padded = {name: np.repeat(array, 2, axis=0) for name, array in inputs[1].items()}
    padded["attention_mask"][1, 4:] = 0  # the gate sees no padding: fusing must not lose the mask
    whole, fused = (
        np.asarray(Candidate("onnx", "fp32", path, "").load(threads=1).run(padded)["last_hidden_state"], np.float64)
        for path in (source, tmp_path / "prepared.onnx")
    )
    np.testing.assert_allclose(fused[0], whole[0], atol=1e-4)
    np.testing.assert_allclose(fused[1, :4], whole[1, :4], atol=1e-4)
    nodes = onnx.load(tmp_path / "prepared.onnx").graph.node
    assert "SkipLayerNormalization" not in {node.op_type for node in nodes}, "which is slower than what it is made of"
    attended = {node.output[0] for node in nodes if node.op_type == "Attention"}
    readers = {node.op_type for node in nodes if attended & set(node.input)}
    assert readers == {"MatMul"}, "what attention gives is smoothed by its own weights"
    attention = sorted(node.name for node in nodes if node.op_type == "Attention")
    path = made(recipe.keeping(frozenset(attention[:1])), source, tmp_path, inputs)
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert (operators.count("Attention"), operators.count("QAttention")) == (1, len(attention) - 1)
    floating, quantised = Candidate("onnx", "fp32", source, ""), Candidate("onnx", "int8", path, "")
    assert similarity(floating, quantised, inputs) > 0.95


def test_static_recipes_need_data(convolutions: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"needs calibration data; pass --calibration\."):
        made(StaticRecipe(), convolutions, tmp_path, [])


def test_what_cannot_be_fused_says_so(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"finds no attention in float\.onnx that it can fuse\."):
        made(DynamicRecipe(fused=True), encoder, tmp_path, [])


def test_what_is_no_graph_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportError, match=r"^Preparing m\.onnx for quantisation failed: [^\n]+$"):
        DynamicRecipe().prepare(tmp_path / "m.onnx", tmp_path / "prepared.onnx", [], silent)


def test_weights_that_do_not_fit_into_a_file_are_refused(tmp_path: Path) -> None:
    model = onnx.load(write_encoder(tmp_path / "float.onnx"))
    table = model.graph.initializer[0]
    table.ClearField("raw_data")
    table.dims[:] = [2**24, 64]
    table.data_location = TensorProto.EXTERNAL
    table.external_data.add(key="location", value="weights.bin")
    onnx.save(model, tmp_path / "large.onnx")
    with pytest.raises(ExportError, match=r"large\.onnx has 4\.3 GB of weights, more than the 2\.1 that can be"):
        DynamicRecipe().prepare(tmp_path / "large.onnx", tmp_path / "prepared.onnx", [], silent)
