"""Small float graphs to quantise, drawn by a seed, and what their files say of the layers in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

WORDS, WIDTH, INNER = 100, 64, 256
LAYERS = 2
EDGE, CHANNELS = 16, 16
_OUTLIER = 25.0


def node(operator: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    """A node that is named as what it makes."""
    return helper.make_node(operator, inputs.split(), [output], name=f"{operator}_{output}", **attributes)


def write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    weights: Mapping[str, NDArray[Any]],
    given: onnx.ValueInfoProto,
    made: onnx.ValueInfoProto,
) -> Path:
    """A file of opset 17; weights that are no integers are in fp32."""
    initializers = [
        numpy_helper.from_array(value if value.dtype == np.int64 else value.astype(np.float32), name)
        for name, value in weights.items()
    ]
    graph = helper.make_graph(nodes, "graph", [given], [made], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def write_encoder(path: Path) -> Path:
    """Embeddings and two layers of a transformer, `[batch, tokens] int64` to `[batch, tokens, WIDTH]`.

    As in trained ones, a few channels of what is normalised are much larger than the others.
    """
    draw = np.random.default_rng(2)
    weights: dict[str, NDArray[Any]] = {
        "words": draw.normal(0, 1, (WORDS, WIDTH)),
        "scale": np.array(WIDTH**-0.5),
        "gain": np.where(np.arange(WIDTH) % 20 == 3, _OUTLIER, 1.0),
        "offset": np.zeros(WIDTH),
    }
    nodes = [node("Gather", "words input_ids", "rows"), node("LayerNormalization", "rows gain offset", "x0")]
    sizes = {"q": (WIDTH, WIDTH), "k": (WIDTH, WIDTH), "v": (WIDTH, WIDTH), "o": (WIDTH, WIDTH)}
    sizes |= {"up": (WIDTH, INNER), "down": (INNER, WIDTH)}
    # What reads an outlying channel weighs it less.
    rows = 1 / weights["gain"][:, None]
    for layer in range(LAYERS):
        for name, size in sizes.items():
            fades = rows if name in ("q", "k", "v", "up") else 1.0
            weights[f"{name}{layer}"] = draw.normal(0, size[0] ** -0.5, size) * fades
        x = f"x{layer}"
        nodes += [node("MatMul", f"{x} {name}{layer}", f"{name}_{layer}") for name in ("q", "k", "v")]
        nodes += [
            node("Transpose", f"k_{layer}", f"t_{layer}", perm=[0, 2, 1]),
            node("MatMul", f"q_{layer} t_{layer}", f"raw_{layer}"),
            node("Mul", f"raw_{layer} scale", f"logits_{layer}"),
            node("Softmax", f"logits_{layer}", f"shares_{layer}", axis=-1),
            node("MatMul", f"shares_{layer} v_{layer}", f"mixed_{layer}"),
            node("MatMul", f"mixed_{layer} o{layer}", f"o_{layer}"),
            node("Add", f"{x} o_{layer}", f"sum_{layer}"),
            node("LayerNormalization", f"sum_{layer} gain offset", f"y_{layer}"),
            node("MatMul", f"y_{layer} up{layer}", f"up_{layer}"),
            node("Relu", f"up_{layer}", f"r_{layer}"),
            node("MatMul", f"r_{layer} down{layer}", f"down_{layer}"),
            node("Add", f"y_{layer} down_{layer}", f"z_{layer}"),
            node("LayerNormalization", f"z_{layer} gain offset", f"x{layer + 1}"),
        ]
    nodes.append(node("Div", f"x{LAYERS} gain", "vectors"))
    given = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])
    made = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", "tokens", WIDTH])
    return write(path, nodes, weights, given, made)


def encoder_inputs(count: int = 12) -> list[dict[str, NDArray[Any]]]:
    """Texts of different lengths."""
    draw = np.random.default_rng(4)
    return [{"input_ids": draw.integers(0, WORDS, (1, 5 + number % 7))} for number in range(count)]


def write_convolutions(path: Path, *, outlier: bool = False) -> Path:
    """Four convolutions and a head, `[batch, 3, EDGE, EDGE]` to logits `[batch, 10]`.

    With `outlier`, each filter of `Conv_c2` has a weight a thousand times as large as its others, for a channel that is
    always zero: floats do not mind, and 256 steps leave the others none.
    """
    draw = np.random.default_rng(6)
    weights: dict[str, NDArray[Any]] = {
        "w0": draw.normal(0, 0.3, (CHANNELS, 3, 3, 3)),
        "w1": draw.normal(0, 0.12, (CHANNELS, CHANNELS, 3, 3)),
        "w2": draw.normal(0, 0.12, (CHANNELS, CHANNELS, 3, 3)),
        "w3": draw.normal(0, 0.12, (CHANNELS, CHANNELS, 3, 3)),
        "b1": draw.normal(0, 0.1, CHANNELS),
        "head": draw.normal(0, 0.3, (CHANNELS, 10)),
    }
    if outlier:
        weights["b1"][5] = -20
        weights["w2"][:, 5] = 1000
    nodes = [
        node("Conv", "pixels w0", "c0", pads=[1] * 4),
        node("Relu", "c0", "r0"),
        node("Conv", "r0 w1 b1", "c1", pads=[1] * 4, strides=[2, 2]),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 w2", "c2", pads=[1] * 4),
        node("Relu", "c2", "r2"),
        node("Conv", "r2 w3", "c3", pads=[1] * 4),
        node("Relu", "c3", "r3"),
        node("ReduceMean", "r3", "mean", axes=[2, 3], keepdims=0),
        node("MatMul", "mean head", "logits"),
    ]
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, EDGE, EDGE])
    made = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])
    return write(path, nodes, weights, given, made)


def write_mobile(path: Path) -> Path:
    """A stem, a block of a convolution that widens, a depthwise one and one that narrows, its sum, and a head."""
    draw, wide = np.random.default_rng(2), 24
    weights: dict[str, NDArray[Any]] = {
        "stem": draw.normal(0, 0.3, (16, 3, 3, 3)),
        "widen": draw.normal(0, 0.3, (wide, 16, 1, 1)),
        "deep": draw.normal(0, 0.4, (wide, 1, 3, 3)),
        "deep_bias": draw.normal(0, 0.2, wide),
        "deeper": draw.normal(0, 0.4, (wide, 1, 5, 5)),
        "narrow": draw.normal(0, 0.3, (16, wide, 1, 1)),
        "head": draw.normal(0, 0.3, (16, 10)),
    }
    nodes = [
        node("Conv", "pixels stem", "c0", pads=[1] * 4),
        node("Relu", "c0", "r0"),
        node("Conv", "r0 widen", "c1"),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 deep deep_bias", "c2", group=wide, pads=[1] * 4),
        node("Relu", "c2", "r2"),
        node("Conv", "r2 deeper", "c3", group=wide, pads=[2] * 4),
        node("Conv", "c3 narrow", "c4"),
        node("Add", "c4 r0", "sum"),
        node("ReduceMean", "sum", "mean", axes=[2, 3], keepdims=0),
        node("MatMul", "mean head", "logits"),
    ]
    given = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, EDGE, EDGE])
    made = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])
    return write(path, nodes, weights, given, made)


def image_inputs(count: int = 12) -> list[dict[str, NDArray[Any]]]:
    """Blocks of colour."""
    draw = np.random.default_rng(8)
    blocks = draw.normal(0, 1, (count, 1, 3, EDGE // 4, EDGE // 4)).astype(np.float32)
    return [{"pixels": block.repeat(4, 2).repeat(4, 3)} for block in blocks]


def float_layers(path: Path) -> set[str]:
    """The names of the layers whose weights the file has in fp32."""
    graph = onnx.load(path).graph
    floats = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    layers = ("Conv", "MatMul", "Gemm", "Attention")
    return {each.name for each in graph.node if each.op_type in layers and each.input[1] in floats}


def stored(path: Path, kind: int) -> list[NDArray[Any]]:
    """The arrays of this type that the file has, but for zero points."""
    arrays = [numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer if each.data_type == kind]
    return [array for array in arrays if array.ndim > 1]
