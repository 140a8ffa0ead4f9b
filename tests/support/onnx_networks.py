"""Small ONNX classifiers as other exporters write them: layouts, opsets, batches, ends and weights beside the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 12

End = Literal["logits", "softmax", "unrolled softmax", "log softmax", "sigmoid", "argmax"]
Head = Literal["matmul", "convolution", "one row"]


def write_classifier(
    path: Path,
    labels: int,
    *,
    shape: Sequence[int | str | None],
    nhwc: bool = False,
    opset: int = 17,
    head: Head = "matmul",
    end: End = "logits",
    reshape: Sequence[int] = (0, -1),
    unit: float = 1.0,
    external: str | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Convolutions, rectifiers, pooling and a head, with random weights by which images get different answers.

    Args:
        path: the file.
        labels: how many scores it gives.
        shape: what it says that its input is.
        nhwc: whether it begins with a transpose, as TensorFlow's converters write it.
        opset: of the default domain.
        head: `matmul` of the reshaped features; `convolution`, which leaves `[batch, labels, 1, 1]`; or `one row`,
            which loses the batch.
        end: what comes after the head.
        reshape: the shape of the features before `matmul`.
        unit: how far from zero its inputs are.
        external: the file beside it that has the weights.
        metadata: of the model.
    """
    draw = np.random.default_rng(3)
    weights = {
        "filters": draw.normal(0, 1 / 5 / unit, (CHANNELS, 3, 5, 5)),
        "filters_2": draw.normal(0, 0.3, (CHANNELS, CHANNELS, 3, 3)),
    }
    nodes = [
        *(
            [_node("Transpose", "image", "planes", perm=[0, 3, 1, 2])]
            if nhwc
            else [_node("Identity", "image", "planes")]
        ),
        _node("Conv", "planes filters", "edges", strides=[2, 2]),
        _node("Clip", "edges", "clipped", min=0.0, max=6.0) if opset < 11 else _node("Relu", "edges", "clipped"),
        _node("Conv", "clipped filters_2", "shapes"),
        _node("Relu", "shapes", "rectified"),
        _node("GlobalAveragePool", "rectified", "features"),
    ]
    constants = {"reshape": np.array(reshape, np.int64), "row": np.array([CHANNELS], np.int64)}
    constants["first"] = np.array([1, CHANNELS], np.int64)
    weights |= _settled_head(nodes, weights, draw, nhwc=nhwc, opset=opset, unit=unit, labels=labels)
    if head == "convolution":
        weights["head"] = weights["head"].T[:, :, np.newaxis, np.newaxis]
        nodes.append(_node("Conv", "features head bias", "logits"))
    else:
        if head == "one row":
            nodes += [_node("Reshape", "features row", "row_features"), _node("Reshape", "row_features first", "flat")]
        else:
            nodes.append(_node("Reshape", "features reshape", "flat"))
        nodes += [_node("MatMul", "flat head", "product"), _node("Add", "product bias", "logits")]
    nodes += _end(end)
    output, kind = nodes[-1].output[0], TensorProto.INT64 if end == "argmax" else TensorProto.FLOAT
    dimensions: list[int | None] = [None, labels, 1, 1] if head == "convolution" else [None, None]
    read = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, kind, dimensions)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
        + [numpy_helper.from_array(value, name) for name, value in constants.items() if name in read],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=4 if opset < 11 else 8)
    helper.set_model_props(model, metadata or {})
    options: dict[str, Any] = {"save_as_external_data": True, "location": external, "size_threshold": 64}
    onnx.save(model, path, **(options if external else {}))
    return path


def _settled_head(
    nodes: list[onnx.NodeProto],
    weights: dict[str, NDArray[np.float64]],
    draw: np.random.Generator,
    *,
    nhwc: bool,
    opset: int,
    unit: float,
    labels: int,
) -> dict[str, NDArray[np.float64]]:
    """A head whose logits lie around zero on flat colours with a little noise."""
    colors = draw.uniform(-unit, unit, (16, 3, 1, 1)) + draw.normal(0, unit / 5, (16, 3, 24, 24))
    graph = helper.make_graph(
        nodes,
        "features",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [None] * 4)],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    images = (colors.transpose(0, 2, 3, 1) if nhwc else colors).astype(np.float32)
    features = np.asarray(session.run(None, {"image": images})[0], np.float64).reshape(16, CHANNELS)
    head = draw.normal(0, 1, (CHANNELS, labels))
    logits = features @ head
    return {"head": 2 * head / logits.std(0), "bias": -2 * logits.mean(0) / logits.std(0)}


def _end(end: End) -> list[onnx.NodeProto]:
    return {
        "logits": [],
        "softmax": [_node("Softmax", "logits", "scores", axis=1)],
        "unrolled softmax": [
            _node("Exp", "logits", "powers"),
            _node("ReduceL1", "powers", "sum", axes=[1], keepdims=1),
            _node("Div", "powers sum", "scores"),
        ],
        "log softmax": [_node("LogSoftmax", "logits", "scores", axis=1)],
        "sigmoid": [_node("Sigmoid", "logits", "scores")],
        "argmax": [_node("ArgMax", "logits", "label", axis=1)],
    }[end]


def _node(operator: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), [output], name=f"{operator}_{output}", **attributes)
