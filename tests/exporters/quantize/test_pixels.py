"""Pixels as the whole numbers that they were: where they are found, and that a first layer loses nothing by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from support.float_graphs import node, write

from tundish.engines import load_file
from tundish.manifest import EngineName
from tundish_exporters.progress import silent
from tundish_exporters.quantize import apply
from tundish_exporters.quantize.biases import with_biases
from tundish_exporters.quantize.first_layer import StemForm
from tundish_exporters.quantize.observing import observed
from tundish_exporters.quantize.pixels import find_grid, use_whole_pixels
from tundish_exporters.quantize.sensitivity import layer_errors
from tundish_exporters.quantize.static import StaticRecipe

EDGE, CHANNELS = 32, 8
NORMALISATIONS = {
    "ImageNet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "halves": ((0.5,) * 3, (0.5,) * 3),
    "shares": ((0.0,) * 3, (1.0,) * 3),
}


@pytest.fixture(autouse=True, scope="module")
def engines() -> None:
    """All that are installed."""


def normalised(pixels: NDArray[np.uint8], mean: tuple[float, ...], std: tuple[float, ...]) -> NDArray[np.float32]:
    """As image processors do it."""
    columns = [np.array(each, np.float32).reshape(-1, 1, 1) for each in (mean, std)]
    array: NDArray[np.float32] = (pixels.astype(np.float32) * np.float32(1 / 255) - columns[0]) / columns[1]
    return array


def images(count: int = 12, *, seed: int = 3) -> list[NDArray[np.uint8]]:
    """Shades that change slowly, so that many neighbours are the same; the first has all there are."""
    draw = np.random.default_rng(seed)
    drawn = [np.cumsum(draw.integers(-2, 3, (1, 3, EDGE, EDGE)), -1) + draw.integers(0, 256) for _ in range(count - 1)]
    every = np.broadcast_to(np.arange(EDGE * EDGE).reshape(EDGE, EDGE) % 256, (1, 3, EDGE, EDGE))
    return [np.clip(each, 0, 255).astype(np.uint8) for each in (every, *drawn)]


def inputs_of(pixels: list[NDArray[np.uint8]], normalisation: str) -> list[dict[str, NDArray[Any]]]:
    return [{"pixels": normalised(each, *NORMALISATIONS[normalisation])} for each in pixels]


@settings(max_examples=100, deadline=None)
@given(
    mean=st.floats(0, 0.92),
    apart=st.lists(st.floats(0, 0.08), min_size=1, max_size=4),
    std=st.floats(0.05, 1),
    darkest=st.integers(0, 100),
    brightest=st.integers(180, 255),
)
def test_the_grid_of_normalised_pixels_is_found(
    mean: float, apart: list[float], std: float, darkest: int, brightest: int
) -> None:
    means = [mean + each for each in apart]
    shades = np.arange(darkest, brightest + 1, dtype=np.uint8)
    pixels = np.tile(shades, len(means)).reshape(1, len(means), 1, -1)
    array = normalised(pixels, tuple(means), (std,) * len(means))
    grid = find_grid([{"x": array[..., ::2]}, {"x": array[..., 1::2]}], "x")
    assert grid is not None
    assert grid.scales == pytest.approx(1 / 255 / std, rel=1e-4)
    assert ((grid.zeros >= 0) & (grid.zeros <= 255)).all()
    numbers = array / grid.scales.reshape(-1, 1, 1) + grid.zeros.reshape(-1, 1, 1)
    first = np.rint(numbers[..., :1])
    assert numbers == pytest.approx(np.broadcast_to(shades - float(darkest), array.shape) + first, abs=0.01)
    # What is darker or brighter than anything that was seen is given as much room on both sides, if zero allows it.
    room = 255 - (brightest - darkest)
    assert ((first >= 0) & (first <= room)).all()
    middles = (first.ravel() == room // 2) | (np.abs(grid.zeros - 0.5) <= 0.51) | (np.abs(grid.zeros - 254.5) <= 0.51)
    assert middles.all()


@pytest.mark.parametrize(
    "channel",
    [
        np.random.default_rng(1).normal(0, 1, 1000),
        np.arange(257) / 255 - 0.5,
        np.arange(63) / 255,
        np.cumsum(np.random.default_rng(2).uniform(1, 2, 200)) - 100,
        np.arange(256) / 255 + 1,
        np.arange(256) / 255 - 2,
        np.zeros(100),
        np.append(np.arange(255) / 255, np.inf),
        np.append(np.arange(255) / 255, np.nan),
        np.arange(256) / 255 - 0.5,
    ],
    ids=[
        "any values",
        "too many",
        "too few",
        "uneven",
        "without zero",
        "below zero",
        "constant",
        "infinite",
        "NaN",
        "zeros apart",
    ],
)
def test_what_are_no_pixels_have_no_grid(channel: NDArray[np.float64]) -> None:
    good = np.resize(np.arange(256) / 255, channel.shape[0] if len(channel) > 256 else 256)
    both = np.stack([good, np.resize(channel, len(good))]).astype(np.float32)[None, :, None]
    assert find_grid([{"x": both[:, :1]}], "x") is not None
    assert find_grid([{"x": both}], "x") is None


def write_network(path: Path, *, patches: bool = False) -> Path:
    """Three convolutions, the first without a bias; it reads zeros beyond the border, if not patches."""
    draw = np.random.default_rng(5)
    weights = {
        "w0": draw.normal(0, 0.3, (CHANNELS, 3, *[4 if patches else 3] * 2)),
        "w1": draw.normal(0, 0.3, (CHANNELS, CHANNELS, 1, 1)),
        "w2": draw.normal(0, 0.3, (CHANNELS, CHANNELS, 1, 1)),
    }
    places = {"strides": [4, 4]} if patches else {"pads": [1] * 4}
    nodes = [
        node("Conv", "pixels w0", "c0", **places),
        node("Relu", "c0", "r0"),
        node("Conv", "r0 w1", "c1"),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 w2", "c2"),
        node("ReduceMean", "c2", "mean", axes=[2, 3]),
    ]
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, EDGE, EDGE])
    made = helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["batch", CHANNELS, 1, 1])
    return write(path, nodes, weights, given, made)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("stem", ["plain", "blocks"])
def test_the_first_layer_reads_pixels_as_they_were(normalisation: str, stem: StemForm, tmp_path: Path) -> None:
    pixels = images()
    inputs, path = inputs_of(pixels, normalisation), tmp_path / "int8.onnx"
    apply(StaticRecipe(stem=stem), write_network(tmp_path / "float.onnx"), path, inputs, silent)
    model = onnx.load(path)
    onnx.checker.check_model(model)
    first = next(each for each in model.graph.node if each.op_type == "QuantizeLinear")
    model.graph.output.append(helper.make_tensor_value_info(first.output[0], TensorProto.UINT8, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for given_, shown in zip(inputs, pixels, strict=True):
        np.testing.assert_array_equal(session.run([first.output[0]], given_)[0], shown)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_the_first_layer_has_less_error_than_with_one_scale(normalisation: str, tmp_path: Path) -> None:
    """By the same pixels, but for one that is on no grid, so that they are rounded as any numbers are."""
    source = write_network(tmp_path / "float.onnx", patches=True)
    recipe, inputs = StaticRecipe(stem="blocks"), inputs_of(images(), normalisation)
    spoilt = [{"pixels": each["pixels"].copy()} for each in inputs]
    spoilt[0]["pixels"][0, :, 0, 0] += 0.4 * np.diff(np.unique(inputs[0]["pixels"][0, 0])).min()
    errors = []
    for calibration in (inputs, spoilt):
        apply(recipe, source, tmp_path / "int8.onnx", calibration, silent)
        recipe.prepare(source, tmp_path / "prepared.onnx", [], silent)
        measured = layer_errors(tmp_path / "prepared.onnx", tmp_path / "int8.onnx", inputs, silent)
        errors.append(next(layer.error for layer in measured if layer.node == "Conv_c0"))
    assert 0 < errors[0] < (1.02 if normalisation == "shares" else 0.85) * errors[1]


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("patches", [True, False])
def test_a_float_network_is_the_same_but_for_its_border(normalisation: str, patches: bool, tmp_path: Path) -> None:
    inputs, model = (
        inputs_of(images(), normalisation),
        onnx.load(write_network(tmp_path / "float.onnx", patches=patches)),
    )
    expected = [each[0] for each in observed(model, ["c0"], inputs, "look", silent)]
    grid, convolution = find_grid(inputs, "pixels"), model.graph.node[0]
    assert grid is not None
    assert with_biases(model.graph, [convolution])
    whole = use_whole_pixels(model.graph, convolution, grid)
    onnx.checker.check_model(model)
    weights = next(numpy_helper.to_array(each) for each in model.graph.initializer if each.name == "w0")
    border = np.abs(weights).sum((1, 2, 3)).max() * np.abs(grid.scale * (grid.zeros - grid.zero)).max()
    for (read, got), wanted in zip(
        observed(model, [whole.tensor, "c0"], inputs, "look", silent), expected, strict=True
    ):
        numbers = read / grid.scale + grid.zero
        assert numbers == pytest.approx(np.rint(numbers), abs=1e-3)
        inside = np.s_[:] if patches else np.s_[:, :, 1:-1, 1:-1]
        assert got[inside] == pytest.approx(wanted[inside], abs=1e-3)
        assert np.abs(got - wanted).max() < border + 1e-3


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize(("engine", "stem"), [("onnx", "blocks"), ("openvino", "plain")])
def test_engines_answer_as_the_float_network_does(
    engine: EngineName, stem: StemForm, normalisation: str, tmp_path: Path
) -> None:
    source, inputs = write_network(tmp_path / "float.onnx"), inputs_of(images(), normalisation)
    apply(StaticRecipe(stem=stem, ranges="extremes"), source, tmp_path / "int8.onnx", inputs, silent)
    floating = load_file("onnx", source, precision="fp32", threads=1)
    quantised = load_file(engine, tmp_path / "int8.onnx", precision="int8", threads=1)
    expected, got = (np.array([loaded.run(each)["mean"] for each in inputs]) for loaded in (floating, quantised))
    assert np.sqrt(np.mean((got - expected) ** 2)) < 0.05 * expected.std()
