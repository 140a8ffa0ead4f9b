"""The operators of transformers against ONNX Runtime's own for the same weights, as graphs of few nodes.

Layers of MiniLM, texts of 32 and of 128 tokens. ONNX Runtime's dynamic int8 rounds all tokens by one range, each of
tundish's by its own, so that results differ by what rounding does; Gelu, the sum with what went around a layer and its
normalisation are nodes of their own there. Its attention takes queries, keys and values apart, which a node splits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tundish_bench.errors import BenchmarkError
from tundish_bench.kernels.graph_call import GraphCall
from tundish_bench.kernels.timing import Case

_GOAL, _ATTENTION_GOAL = 1.3, 1.0
_HIDDEN, _INNER, _HEADS = 384, 1536, 12
_WIDEST_ERROR = 0.03
"""Of the root of the mean square of what floats make; two ways to round differ by half of that."""
_OF_RUNTIME = "com.microsoft"


def cases() -> Iterator[Case]:
    """The four products of a layer of MiniLM, and its attention."""
    for tokens in (32, 128):
        yield _linear(tokens, _HIDDEN, 3 * _HIDDEN)
        yield _linear(tokens, _HIDDEN, _INNER, gelu=True)
        yield _linear(tokens, _HIDDEN, _HIDDEN, normalises=True)
        yield _attention(tokens)


def _linear(tokens: int, inputs: int, outputs: int, *, gelu: bool = False, normalises: bool = False) -> Case:
    draw = np.random.default_rng(0)
    x = draw.normal(0, 1, (1, tokens, inputs)).astype(np.float32)
    constants: dict[str, Any] = {
        "w": draw.integers(-127, 128, (inputs, outputs), np.int8),
        "w_scale": np.full(outputs, 0.014 / np.sqrt(inputs), np.float32),
        "B": draw.normal(0, 0.1, outputs).astype(np.float32),
    }
    ours, theirs = ["x", *constants, "factors"], ["x", "w", "w_scale", "", "B"]
    constants["factors"] = np.ones(inputs, np.float32)
    if normalises:
        constants |= {"gamma": np.ones(outputs, np.float32), "beta": np.zeros(outputs, np.float32)}
        constants["epsilon"] = np.float32(1e-6)
        ours += ["x", "gamma", "beta", "epsilon"]
    operator = "QuantizedLinearNorm" if normalises else "QuantizedLinear"
    node = helper.make_node(operator, ours, ["y"], domain="tundish", gelu=[int(gelu)])
    stock = [helper.make_node("DynamicQuantizeMatMul", theirs, ["product"], domain=_OF_RUNTIME)]
    if gelu:
        stock.append(helper.make_node("Gelu", ["product"], ["y"], domain=_OF_RUNTIME))
    elif normalises:
        stock.append(helper.make_node("Add", ["product", "x"], ["sum"]))
        stock.append(helper.make_node("LayerNormalization", ["sum", "gamma", "beta"], ["y"], epsilon=1e-6))
    else:
        stock[-1].output[0] = "y"
    behind = " + Gelu" if gelu else " + LayerNorm" if normalises else ""
    name = f"quantized_linear {tokens} x {inputs} to {outputs}{behind}"
    return _case(name, [node], stock, constants, x, _GOAL)


def _attention(tokens: int) -> Case:
    draw = np.random.default_rng(0)
    x = draw.normal(0, 1, (1, tokens, 3 * _HIDDEN)).astype(np.float32)
    constants = {"scale": np.float32((_HIDDEN / _HEADS) ** -0.5), "sizes": np.full(3, _HIDDEN, np.int64)}
    node = helper.make_node("SelfAttention", ["x", "scale"], ["y"], domain="tundish", heads=[_HEADS])
    parts = ["queries", "keys", "values"]
    stock = [
        helper.make_node("Split", ["x", "sizes"], parts, axis=-1),
        helper.make_node("MultiHeadAttention", parts, ["y"], domain=_OF_RUNTIME, num_heads=_HEADS),
    ]
    name = f"self_attention {tokens} tokens, {_HEADS} heads of {_HIDDEN // _HEADS}"
    return _case(name, [node], stock, constants, x, _ATTENTION_GOAL)


def _case(
    name: str,
    ours: list[onnx.NodeProto],
    theirs: list[onnx.NodeProto],
    constants: dict[str, Any],
    x: NDArray[np.float32],
    goal: float,
) -> Case:
    operator, baseline = (GraphCall(nodes, constants, x, TensorProto.FLOAT) for nodes in (ours, theirs))
    made = operator()

    def check() -> None:
        other = baseline()
        error = np.sqrt(np.mean((operator() - other) ** 2) / np.mean(other**2))
        if not error < _WIDEST_ERROR:
            raise BenchmarkError(f"{name.split()[0]} differs from ONNX Runtime's own operators by {error:.3f}.")

    return Case(
        name=name,
        operator=operator,
        baseline=baseline,
        baseline_name="ONNX Runtime",
        bytes_moved=x.nbytes + made.nbytes + sum(np.asarray(each).nbytes for each in constants.values()),
        goal=goal,
        check=check,
    )
