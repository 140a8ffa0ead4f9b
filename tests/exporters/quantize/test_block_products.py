"""Products whose weights are put into blocks of int8, by each engine that reads them: NumPy says what they compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from support.float_graphs import node, write

from tundish.engines import load_file
from tundish.manifest import EngineName
from tundish_exporters.quantize.block_products import BlockProducts


@pytest.fixture(autouse=True, scope="module")
def engines() -> None:
    """All that are installed."""


def rounded_by_numpy(matrix: NDArray[np.float32], block: int) -> NDArray[np.float64]:
    """Each block of a column in 8 bits: of 256 steps the lowest is the block's largest, by magnitude."""
    restored = np.zeros(matrix.shape)
    for column in range(matrix.shape[1]):
        for first in range(0, len(matrix), block):
            part = matrix[first : first + block, column].astype(float)
            step = part[np.abs(part).argmax()] / -128
            restored[first : first + block, column] = np.clip(np.rint(part / step), -128, 127) * step
    return restored


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_products_that_share_weights_compute_what_numpy_does(tmp_path: Path, engine: EngineName) -> None:
    draw = np.random.default_rng(5)
    matrix, bias = draw.normal(0, 1, (48, 48)).astype(np.float32), draw.normal(0, 9, 48).astype(np.float32)
    nodes = [
        node("MatMul", "x w", "product"),
        node("Gemm", "x w bias", "added", transB=0),
        node("Gemm", "x w bias", "transposed", transB=1),
        node("Gemm", "x w", "alone", transB=1),
        node("Concat", "product added transposed alone", "y", axis=1),
    ]
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 48), ("y", 192))
    ]
    model = onnx.load(write(tmp_path / "m.onnx", nodes, {"w": matrix, "bias": bias}, *tensors))
    products = BlockProducts(model, 8, 32)
    for each in model.graph.node:
        products.replace(each)
    products.finish()
    # Both orientations of the weights, each once, and no floats of them.
    sizes = sorted(tuple(tensor.dims) for tensor in model.graph.initializer)
    assert sizes == [(48,), (48, 2), (48, 2), (48, 2, 32), (48, 2, 32)]
    onnx.save(model, tmp_path / "q.onnx")
    # Whole numbers whose largest in each block is 127: rounding activations to 8 bits leaves them as they are.
    x = draw.integers(-127, 128, (5, 48)).astype(np.float32)
    x[:, ::32] = 127
    straight, turned = x @ rounded_by_numpy(matrix, 32), x @ rounded_by_numpy(matrix.T, 32)
    expected = np.concatenate([straight, straight + bias, turned + bias, turned], 1)
    actual = np.asarray(load_file(engine, tmp_path / "q.onnx", precision="int8", threads=1).run({"x": x})["y"])
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
