"""What is OpenVINO's own: what it does in silence unless it is kept from it, and what it does not compute."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from tundish.engines import load_file, obstacle
from tundish.engines import openvino as engine_module
from tundish.engines.openvino import OpenVinoEngine
from tundish.errors import EngineError

WATCHED = """
import os, sys
seen = []
def hook(event, arguments):
    if event.startswith("socket.") or event == "open" and isinstance(arguments[2], int) and arguments[2] & (
        os.O_WRONLY | os.O_RDWR | os.O_CREAT
    ):
        seen.append((event, str(arguments[0])))
sys.addaudithook(hook)
import numpy as np
from pathlib import Path
from tundish.engines import load_file
engine = load_file("openvino", Path(sys.argv[1]), precision="fp32", threads=1)
engine.run({"x": np.ones((1, 64), np.float32)})
print(seen)
import openvino
print(openvino.convert_model.__name__, "openvino_telemetry" in sys.modules)
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`x` `[batch, 64]` times a matrix of thirds."""
    return write_product(tmp_path_factory.mktemp("openvino") / "model.onnx", TensorProto.FLOAT, np.float32)


def write_product(path: Path, element: int, dtype: type[np.generic]) -> Path:
    tensors = [helper.make_tensor_value_info(name, element, ["batch", 64]) for name in ("x", "y")]
    matrix = (np.ones((64, 64)) / (3 if dtype == np.float32 else 1)).astype(dtype)
    node = helper.make_node("MatMul", ["x", "matrix"], ["y"])
    graph = helper.make_graph([node], "graph", tensors[:1], tensors[1:], [numpy_helper.from_array(matrix, "matrix")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_it_reports_nothing_and_writes_nothing(network: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED, network],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == ["[]", "convert_model False"]
    assert list(tmp_path.iterdir()) == []


def test_bf16_is_computed_or_refused(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((1, 64)).astype(np.float32)
    if engine_module.computes_in("bf16"):
        exact: Any = load_file("openvino", network, precision="fp32", threads=1).run({"x": x})["y"]
        rounded: Any = load_file("openvino", network, precision="bf16", threads=1).run({"x": x})["y"]
        assert 1e-5 < np.abs(rounded - exact).max() / np.abs(x).sum() < 1e-1  # fp32 errs by less than 1e-6
        return
    with pytest.raises(EngineError, match="does not compute in bf16 on this processor; serve another variant"):
        load_file("openvino", network, precision="bf16", threads=1)
    # Nor is it taken for another, should OpenVINO say that it can.
    monkeypatch.setattr(engine_module, "computes_in", lambda _precision: True)
    with pytest.raises(EngineError, match=r"computes .*model\.onnx in f32, not bf16, on this processor"):
        load_file("openvino", network, precision="bf16", threads=1)


def test_onnx_runtime_does_not_compute_in_bf16() -> None:
    assert "does not compute in bf16" in str(obstacle("onnx", "bf16"))


def test_a_graph_keeps_its_names_where_operations_fall_away(tmp_path: Path) -> None:
    """A cast to what it is already, and the addition of zeros: OpenVINO folds both, and names the ends after them."""
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 64]) for name in ("x", "y")]
    weights = {"matrix": np.eye(64, dtype=np.float32), "bias": np.zeros(64, np.float32)}
    nodes = [
        helper.make_node("Cast", ["x"], ["a_cast"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["a_cast", "matrix"], ["a_product"]),
        helper.make_node("Add", ["a_product", "bias"], ["y"]),
    ]
    arrays = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "graph", tensors[:1], tensors[1:], arrays)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "model.onnx")
    engine = OpenVinoEngine(tmp_path / "model.onnx", precision="fp32", threads=1)
    assert [spec.name for spec in (*engine.inputs, *engine.outputs)] == ["x", "y"]
    x = np.random.default_rng(0).random((3, 64), np.float32)
    np.testing.assert_allclose(engine.run({"x": x})["y"], x, rtol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1])
def test_integers_that_it_would_wrap_are_refused(value: int, tmp_path: Path) -> None:
    engine = OpenVinoEngine(
        write_product(tmp_path / "model.onnx", TensorProto.INT64, np.int64), precision="fp32", threads=1
    )
    x = np.zeros((1, 64), np.int64)
    x[0, 5] = np.clip(value, -(2**31), 2**31 - 1)
    answer: Any = engine.run({"x": x})["y"]
    np.testing.assert_allclose(answer, x.sum(), rtol=1e-6)  # OpenVINO multiplies integers as floats
    x[0, 5] = value
    with pytest.raises(EngineError, match=rf"OpenVINO reads input 'x' as 32-bit integers, got values from .*{value}"):
        engine.run({"x": x})


@pytest.mark.parametrize(("element", "dtype"), [(TensorProto.DOUBLE, np.float64), (TensorProto.UINT64, np.uint64)])
def test_datatypes_that_it_computes_in_less_are_refused(element: int, dtype: type[np.generic], tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"Tensor 'x' has the type .64, which tundish does not serve by OpenVINO"):
        OpenVinoEngine(write_product(tmp_path / "model.onnx", element, dtype), precision="fp32", threads=1)


@pytest.mark.usefixtures("without_openvino")
def test_without_the_package_the_error_says_what_to_install(network: Path) -> None:
    sentence = "OpenVINO is not installed; run pip install 'tundish[openvino]'."
    assert obstacle("openvino", "fp32") == sentence
    with pytest.raises(EngineError) as caught:
        load_file("openvino", network, precision="fp32", threads=1)
    assert str(caught.value) == sentence
    assert obstacle("onnx", "fp32") is None
