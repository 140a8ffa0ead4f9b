"""tundish's operators of transformers as graphs of one node, and what their contracts say that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import tundish_kernels

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """The constants of a QuantizedLinear, in the order of its inputs, and of its normalisation if it has one."""

    constants: dict[str, Any]
    gelu: bool = False
    normalises: bool = False
    """Whether the other input, which is x again, and the normalisation's constants come behind."""


def random_layer(draw: np.random.Generator, inputs: int, outputs: int, *, gelu: bool = False) -> Layer:
    """One whose outputs are some units large."""
    constants = {
        "w": draw.integers(-128, 128, (inputs, outputs), np.int8),
        "w_scale": draw.uniform(0.005, 0.02, outputs).astype(np.float32) / np.float32(np.sqrt(inputs)),
        "B": draw.normal(0, 1, outputs).astype(np.float32),
        "factors": draw.uniform(0.2, 3, inputs).astype(np.float32),
    }
    return Layer(constants, gelu)


def normalising(layer: Layer, draw: np.random.Generator, epsilon: float = 1e-6) -> Layer:
    """The same with a normalisation, for which it must have as many outputs as inputs."""
    outputs = layer.constants["w"].shape[1]
    of_rows = {
        "gamma": draw.normal(1, 0.3, outputs).astype(np.float32),
        "beta": draw.normal(0, 1, outputs).astype(np.float32),
        "epsilon": np.float32(epsilon),
    }
    return Layer(layer.constants | of_rows, layer.gelu, normalises=True)


def layer_model(layer: Layer) -> onnx.ModelProto:
    """From `x` to `y`."""
    names = list(layer.constants)
    if layer.normalises:
        names.insert(names.index("gamma"), "x")
    operator = "QuantizedLinearNorm" if layer.normalises else "QuantizedLinear"
    return _model(operator, ["x", *names], layer.constants, {"x": TensorProto.FLOAT}, gelu=[int(layer.gelu)])


def attention_model(heads: int, scale: float, *, masked: bool) -> onnx.ModelProto:
    """From `x`, the projections, and perhaps `mask` to `y`."""
    given = {"x": TensorProto.FLOAT, **({"mask": TensorProto.INT32} if masked else {})}
    inputs = ["x", "scale", *(["mask"] if masked else [])]
    return _model("SelfAttention", inputs, {"scale": np.float32(scale)}, given, heads=[heads])


def _model(
    operator: str, inputs: list[str], constants: dict[str, Any], given: Mapping[str, int], **attributes: Any
) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, ["y"], domain="tundish", **attributes)],
        "one",
        [helper.make_tensor_value_info(name, kind, None) for name, kind in given.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("tundish", 1)]
    return helper.make_model(graph, ir_version=8, opset_imports=opsets)


def outputs_of(model: onnx.ModelProto, *, threads: int = 1, **inputs: Any) -> Floats:
    """What ONNX Runtime makes with the library."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.register_custom_ops_library(str(tundish_kernels.onnxruntime_library()))
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    made: Floats = session.run(None, inputs)[0]
    return made


def linear(layer: Layer, x: Floats) -> Floats:
    """What the contract says without activation and normalisation, bit for bit.

    Numbers of 64 bits of fraction stand for fused multiply-adds: they round once more at most every 2^40th time.
    """
    given = layer.constants
    values = x * given["factors"]
    zero = np.float32(0)
    low = np.minimum(values.min(axis=-1, keepdims=True), zero)
    step = (np.maximum(values.max(axis=-1, keepdims=True), zero) - low) / np.float32(255)
    has_reciprocal = step >= np.finfo(np.float32).tiny
    per_step = np.where(has_reciprocal, np.float32(1) / np.where(has_reciprocal, step, 1), zero)
    zeros = np.minimum(np.rint(-low * per_step), np.float32(255))
    places = (values.astype(np.longdouble) * per_step + zeros).astype(np.float32)
    sums = np.rint(np.clip(places, 0, 255)).astype(np.int64) @ given["w"].astype(np.int64)
    weights = given["w"].sum(axis=0, dtype=np.int64)
    exact = (sums.astype(np.float32).astype(np.longdouble) - zeros.astype(np.longdouble) * weights).astype(np.float32)
    scales = step * given["w_scale"]
    made: Floats = (exact.astype(np.longdouble) * scales + given["B"]).astype(np.float32)
    return made


def attention(x: Floats, heads: int, scale: float, mask: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """What the contract says, in double precision."""
    batch, tokens, hidden = x.shape[0], x.shape[1], x.shape[2] // 3
    parts = x.astype(np.float64).reshape(batch, tokens, 3, heads, hidden // heads).transpose(2, 0, 3, 1, 4)
    queries, keys, values = parts
    products = queries @ keys.swapaxes(-1, -2) * scale
    counts = np.ones((batch, 1, 1, tokens)) if mask is None else (mask != 0)[:, None, None, :]
    weights = np.exp(products - products.max(axis=-1, keepdims=True)) * counts
    total = weights.sum(axis=-1, keepdims=True)
    averages = np.where(total > 0, weights / np.where(total > 0, total, 1), 0) @ values
    made: NDArray[np.float64] = averages.swapaxes(1, 2).reshape(batch, tokens, hidden)
    return made
