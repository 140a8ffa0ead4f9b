"""What ONNX Runtime makes of a graph when the engine loads it: not all of its optimizers make it faster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tundish.engines import load_file

SIDE = 8


def write_sum_and_normalisation(path: Path) -> Path:
    """What transformers have behind each layer: the sum with what the layer was given, normalised."""
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "rows", SIDE]) for name in "xyz"]
    nodes = [
        helper.make_node("Add", ["x", "y"], ["sum"]),
        helper.make_node("LayerNormalization", ["sum", "scale", "bias"], ["z"], axis=-1),
    ]
    constants = [numpy_helper.from_array(np.full(SIDE, value, np.float32), name) for name, value in
                 (("scale", 2.0), ("bias", 1.0))]  # fmt: skip
    graph = helper.make_graph(nodes, "graph", tensors[:2], tensors[2:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def operators(path: Path, optimised: Path, **settings: Any) -> list[str]:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(optimised)
    options.log_severity_level = 4
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"], **settings)
    return [node.op_type for node in onnx.load(optimised).graph.node]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_sum_and_a_normalisation_stay_two(precision: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, optimised = write_sum_and_normalisation(tmp_path / "m.onnx"), tmp_path / "optimised.onnx"
    assert operators(path, optimised) == ["SkipLayerNormalization"], "else there is nothing left to turn off"
    given: dict[str, Any] = {}
    real = onnxruntime.InferenceSession

    def session(*arguments: Any, **settings: Any) -> Any:
        given.update(settings)
        return real(*arguments, **settings)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    engine = load_file("onnx", path, precision=precision, threads=1)
    monkeypatch.undo()
    left = {"disabled_optimizers": given["disabled_optimizers"]}
    assert operators(path, optimised, **left) == ["Add", "LayerNormalization"]
    x, y = np.random.default_rng(4).normal(0, 1, (2, 3, 5, SIDE)).astype(np.float32)
    total = (x + y).astype(np.float64)
    normal = (total - total.mean(-1, keepdims=True)) / np.sqrt(total.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(np.asarray(engine.run({"x": x, "y": y})["z"], np.float64), 2 * normal + 1, atol=1e-4)
