"""Outliers that move from activations into weights: the graph answers as before, and does little more for it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from support.float_graphs import encoder_inputs, node, write, write_encoder

from tundish.engines import load_file
from tundish_exporters.errors import ExportError
from tundish_exporters.progress import silent
from tundish_exporters.quantize.observing import observed
from tundish_exporters.quantize.smoothing import smooth

WIDTH = 16


def smoothed(source: Path, inputs: list[dict[str, NDArray[Any]]]) -> Path:
    path = source.with_name("smoothed.onnx")
    shutil.copyfile(source, path)
    smooth(path, inputs, silent, strength=0.8)
    return path


def check_same_answers(source: Path, path: Path, inputs: list[dict[str, NDArray[Any]]], output: str) -> None:
    engines = [load_file("onnx", each, precision="fp32", threads=1) for each in (source, path)]
    for each in inputs:
        expected, actual = (np.asarray(engine.run(each)[output], np.float64) for engine in engines)
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


def unevenness(path: Path, tensor: str, inputs: list[dict[str, NDArray[Any]]]) -> float:
    """The largest channel over a usual one."""
    values = observed(onnx.load(path), [tensor], inputs, "", silent)
    channels = np.abs(np.concatenate([each.reshape(-1, each.shape[-1]) for (each,) in values])).max(0)
    return float(channels.max() / np.median(channels))


def multiplications(path: Path) -> list[str]:
    return [each.input[0] for each in onnx.load(path).graph.node if each.op_type == "Mul" and "_smoothed" in each.name]


def write_normalised(path: Path, *, shared: bool = False, shown: bool = False) -> Path:
    """A block that normalises what it reads, as vision transformers do: `[batch, WIDTH]` to the same."""
    draw = np.random.default_rng(5)
    second = "gain offset" if shared else "gain2 offset2"
    weights: dict[str, NDArray[Any]] = {
        name: np.where(np.arange(WIDTH) % 7 == 3, 40.0, 1.0) * draw.uniform(0.5, 1.5, WIDTH)
        for name in ("gain", "gain2")
    }
    weights |= {name: draw.normal(0, 1, WIDTH) for name in ("offset", "offset2")}
    weights |= {name: draw.normal(0, 0.1, (WIDTH, WIDTH)) for name in ("q", "k", "up")}
    nodes = [
        node("LayerNormalization", "x gain offset", "n"),
        node("MatMul", "n q", "nq"),
        node("MatMul", "n k", "nk"),
        node("Mul", "nq nk", "mixed"),
        node("Add", "x mixed", "sum"),
        node("LayerNormalization", f"sum {second}", "n2"),
        node("MatMul", "n2 up", "y"),
    ]
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", WIDTH]) for name in ("x", "y", "n")]
    write(path, nodes, weights, *tensors[:2])
    if shown:
        model = onnx.load(path)
        model.graph.output.append(tensors[2])
        onnx.save(model, path)
    return path


def rows() -> list[dict[str, NDArray[Any]]]:
    draw = np.random.default_rng(6)
    return [{"x": draw.normal(0, 1, (3, WIDTH)).astype(np.float32)} for _ in range(8)]


def test_a_smoothed_graph_computes_the_same_of_even_channels(tmp_path: Path) -> None:
    source, inputs = write_encoder(tmp_path / "float.onnx"), encoder_inputs()
    path = smoothed(source, inputs)
    check_same_answers(source, path, inputs, "vectors")
    reads = {each.name: each.input[0] for each in onnx.load(path).graph.node}
    assert reads["MatMul_q_0"] == reads["MatMul_k_0"] == reads["MatMul_v_0"] == "x0_smoothed"
    assert unevenness(path, "x1_smoothed", inputs) < unevenness(source, "x1", inputs) / 4


def test_a_normalisation_that_products_alone_read_divides_for_itself(tmp_path: Path) -> None:
    source, inputs = write_normalised(tmp_path / "float.onnx"), rows()
    path = smoothed(source, inputs)
    check_same_answers(source, path, inputs, "y")
    assert multiplications(path) == []
    for tensor in ("n", "n2"):
        assert unevenness(path, tensor, inputs) < unevenness(source, tensor, inputs) / 4


@pytest.mark.parametrize(("changed", "divided"), [("shared", ["n", "n2"]), ("shown", ["n"])])
def test_weights_of_two_normalisations_and_what_the_graph_gives_out_stay(
    tmp_path: Path, changed: str, divided: list[str]
) -> None:
    source, inputs = write_normalised(tmp_path / "float.onnx", **{changed: True}), rows()
    path = smoothed(source, inputs)
    for output in ("y", "n") if changed == "shown" else ("y",):
        check_same_answers(source, path, inputs, output)
    assert multiplications(path) == divided


def test_what_a_branch_reads_stays(tmp_path: Path) -> None:
    """A branch sees the tensors around it, though no node beside it reads them."""
    path = write_normalised(tmp_path / "float.onnx")
    model = onnx.load(path)
    shown = helper.make_tensor_value_info("seen", TensorProto.FLOAT, ["n", WIDTH])
    branch = helper.make_graph([node("Identity", "n", "seen")], "branch", [], [shown])
    model.graph.initializer.append(helper.make_tensor("always", TensorProto.BOOL, [], [True]))
    model.graph.node.append(helper.make_node("If", ["always"], ["z"], then_branch=branch, else_branch=branch))
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", WIDTH]))
    onnx.save(model, path)
    inputs = rows()
    changed = smoothed(path, inputs)
    for output in ("y", "z"):
        check_same_answers(path, changed, inputs, output)
    assert multiplications(changed) == ["n"]


def test_it_needs_inputs(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"needs calibration data; pass --calibration\."):
        smoothed(write_normalised(tmp_path / "float.onnx"), [])
