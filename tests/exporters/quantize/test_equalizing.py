"""Channels that are evened out: the same answers in float, nearer ones in integers, and what is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from support.float_graphs import CHANNELS, EDGE, image_inputs, node, write

from tundish_exporters.errors import ExportError
from tundish_exporters.progress import silent
from tundish_exporters.quantize import apply
from tundish_exporters.quantize.equalizing import equalize
from tundish_exporters.quantize.observing import observed
from tundish_exporters.quantize.sensitivity import layer_errors
from tundish_exporters.quantize.static import StaticRecipe

LIMIT = 6.0

SECONDS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "dense": ((8, CHANNELS, 3, 3), {"pads": [1] * 4}),
    "pointwise": ((8, CHANNELS, 1, 1), {}),
    "depthwise": ((CHANNELS, 1, 3, 3), {"pads": [1] * 4, "group": CHANNELS}),
    "depthwise, twice the outputs": ((2 * CHANNELS, 1, 3, 3), {"group": CHANNELS}),
    "in groups": ((12, CHANNELS // 4, 3, 3), {"group": 4}),
}


def write_pair(
    path: Path,
    second: str = "dense",
    *,
    rectifier: str = "Clip",
    bounds: tuple[float, float] = (0.0, LIMIT),
    bias: bool = True,
    others: str = "",
    made: str = "",
    seed: int = 3,
) -> Path:
    """A convolution whose channels are from one to sixty times as large, a rectifier, and another convolution.

    `others` names what is read by another node as well, and `made` what is an output of the graph as well.
    """
    draw = np.random.default_rng(seed)
    shape, attributes = SECONDS[second]
    largeness = np.geomspace(0.05, 3, CHANNELS)
    weights: dict[str, NDArray[Any]] = {
        "w1": draw.normal(0, 0.3, (CHANNELS, 3, 3, 3)) * largeness.reshape(-1, 1, 1, 1),
        "b1": draw.normal(0, 0.3, CHANNELS) * largeness,
        "low": np.array(bounds[0]),
        "high": np.array(bounds[1]),
        "w2": draw.normal(0, 0.3, shape) / _of_inputs(shape, largeness),
        "b2": draw.normal(0, 0.3, shape[0]),
    }
    nodes = [
        node("Conv", f"pixels w1{' b1' if bias else ''}", "c1", pads=[1] * 4),
        node("Clip", "c1 low high", "r1") if rectifier == "Clip" else node(rectifier, "c1", "r1"),
        node("Conv", "r1 w2 b2", "c2", **attributes),
    ]
    if others:
        nodes += [node("Abs", others, "other"), node("ReduceMean", "other", "mean"), node("Add", "c2 mean", "answers")]
    else:
        nodes.append(node("Identity", "c2", "answers"))
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, EDGE, EDGE])
    answered = helper.make_tensor_value_info("answers", TensorProto.FLOAT, None)
    used = {name for each in nodes for name in each.input}
    write(path, nodes, {name: array for name, array in weights.items() if name in used}, given, answered)
    if made:
        model = onnx.load(path)
        model.graph.output.append(helper.make_tensor_value_info(made, TensorProto.FLOAT, None))
        onnx.save(model, path)
    return path


def _of_inputs(shape: tuple[int, ...], largeness: NDArray[Any]) -> NDArray[Any]:
    """So that the second convolution has a use for all channels; in groups it has more for some."""
    if shape[1] == CHANNELS:
        return largeness.reshape(1, -1, 1, 1)
    return largeness.repeat(shape[0] // CHANNELS).reshape(-1, 1, 1, 1) if shape[1] == 1 else np.ones(1)


def answers(path: Path, inputs: list[dict[str, NDArray[Any]]]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.concatenate([np.asarray(session.run(None, each)[0]) for each in inputs])


def largest(path: Path, inputs: list[dict[str, NDArray[Any]]]) -> NDArray[np.float32]:
    """Of each channel between the two convolutions."""
    values = [each for (each,) in observed(onnx.load(path), ["r1"], inputs, "", silent)]
    most: NDArray[np.float32] = np.concatenate(values).max(axis=(0, 2, 3))
    return most


@pytest.mark.parametrize("second", SECONDS)
@pytest.mark.parametrize("bias", [True, False])
def test_answers_stay_and_channels_come_up_to_the_limit(second: str, bias: bool, tmp_path: Path) -> None:
    path, inputs = write_pair(tmp_path / "float.onnx", second, bias=bias), image_inputs()
    wanted, before = answers(path, inputs), largest(path, inputs)
    equalize(path, inputs, silent)
    assert answers(path, inputs) == pytest.approx(wanted, abs=1e-5 * float(np.abs(wanted).max()))
    after = largest(path, inputs)
    most = 16 if second.startswith("depthwise") else 4
    assert after == pytest.approx(np.minimum(most * before, LIMIT), rel=1e-5)
    assert (after / before).min() == 1, "one reaches the limit as it is"
    assert (after / before).max() > 0.99 * most


@pytest.mark.parametrize(
    "changes",
    [
        {"rectifier": "Relu"},
        {"rectifier": "Sigmoid"},
        {"bounds": (-1.0, LIMIT)},
        {"bounds": (0.0, 0.0)},
        *({"others": name} for name in ("c1", "r1", "w1", "b1", "w2")),
        {"made": "r1"},
    ],
    ids=str,
)
def test_what_is_left_alone(changes: dict[str, Any], tmp_path: Path) -> None:
    path = write_pair(tmp_path / "float.onnx", **changes)
    before = path.read_bytes()
    equalize(path, image_inputs(), silent)
    assert path.read_bytes() == before


def test_a_channel_that_is_never_above_zero_stays_a_number(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "float.onnx")
    model = onnx.load(path)
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == "b1")
    bias.CopyFrom(numpy_helper.from_array(np.full(CHANNELS, -1e3, np.float32), "b1"))
    onnx.save(model, path)
    equalize(path, image_inputs(), silent)
    assert np.isfinite(answers(path, image_inputs())).all()


def test_without_inputs_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="needs calibration data"):
        equalize(write_pair(tmp_path / "float.onnx"), [], silent)


@pytest.mark.parametrize(("second", "share"), [("dense", 0.75), ("depthwise", 0.95)])
def test_integers_are_nearer_to_float(
    second: str, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, inputs = write_network(tmp_path / "float.onnx", second), image_inputs(40)
    wanted, errors = answers(source, inputs[20:]), []
    for evened in (False, True):
        with monkeypatch.context() as patch:
            if not evened:
                patch.setattr("tundish_exporters.quantize.static.equalize", lambda *_: None)
            apply(StaticRecipe(), source, tmp_path / "int8.onnx", inputs[:20], silent)
        errors.append(float(np.square(answers(tmp_path / "int8.onnx", inputs[20:]) - wanted).mean() ** 0.5))
    assert 0 < errors[1] < share * errors[0]


def test_layers_errors_are_their_own(tmp_path: Path) -> None:
    source, inputs, recipe = write_network(tmp_path / "float.onnx", "dense"), image_inputs(), StaticRecipe()
    apply(recipe, source, tmp_path / "int8.onnx", inputs, silent)
    recipe.prepare(source, tmp_path / "prepared.onnx", inputs, silent)
    errors = layer_errors(tmp_path / "prepared.onnx", tmp_path / "int8.onnx", inputs, silent)
    assert {error.node for error in errors} >= {"Conv_c1", "Conv_c2"}
    assert max(error.error for error in errors) < 0.1, "beside what was not scaled it would be one or more"


def write_network(path: Path, second: str) -> Path:
    """A pair between two other convolutions, the first of which stays in float, and the last as well."""
    model = onnx.load(write_pair(path, second))
    draw = np.random.default_rng(4)
    outputs = SECONDS[second][0][0]
    model.graph.initializer.extend(
        numpy_helper.from_array(draw.normal(0, 0.5, shape).astype(np.float32), name)
        for name, shape in {"w0": (3, 3, 1, 1), "w3": (16, outputs, 3, 3)}.items()
    )
    model.graph.node[0].input[0] = "c0"
    model.graph.node.insert(0, node("Conv", "pixels w0", "c0"))
    model.graph.node[-1].CopyFrom(node("Conv", "c2 w3", "answers"))
    onnx.save(model, path)
    return path
