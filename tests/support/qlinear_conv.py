"""Convolutions of integers as small graphs: of ONNX Runtime's own operators, and of tundish's, with channels last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import tundish_kernels


@dataclass
class Conv:
    """What one of tundish's operators takes besides the image; constants in the order of its inputs."""

    operator: str
    constants: dict[str, Any]
    strides: list[int] = field(default_factory=lambda: [1, 1])
    dilations: list[int] = field(default_factory=lambda: [1, 1])
    pads: list[int] = field(default_factory=lambda: [0, 0, 0, 0])

    @property
    def is_stem(self) -> bool:
        return self.operator == "QLinearStemConv"

    @property
    def group(self) -> int:
        """See ONNX's Conv."""
        return int(self.constants["w"].shape[0]) if self.operator == "QLinearDepthwiseConv" else 1


def random_conv(draw: np.random.Generator, channels: int, kernel: tuple[int, int], **settings: Any) -> Conv:
    """A depthwise one, whose sums spread over the bytes of the output, and beyond them."""
    return Conv("QLinearDepthwiseConv", _constants(draw, (channels, 1, *kernel)), **settings)


def random_dense(
    draw: np.random.Generator, reads: int, channels: int, kernel: tuple[int, int], **settings: Any
) -> Conv:
    """One whose filters read all channels, likewise."""
    return Conv("QLinearDenseConv", _constants(draw, (channels, reads, *kernel)), **settings)


def random_stem(draw: np.random.Generator, channels: int, kernel: tuple[int, int], **settings: Any) -> Conv:
    """A stem, likewise; each channel of the image has a grid of its own."""
    of_image = {
        "image_scale": draw.uniform(0.01, 0.02, 3).astype(np.float32),
        "image_zero_point": draw.integers(0, 256, 3, np.uint8),
    }
    constants = {**of_image, **_constants(draw, (channels, 3, *kernel))}
    return Conv("QLinearStemConv", constants, **settings)


def _constants(draw: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Any]:
    channels, products = shape[0], np.prod(shape[1:])
    return {
        "x_scale": np.float32(draw.uniform(0.005, 0.05)),
        "x_zero_point": np.uint8(draw.integers(256)),
        "w": draw.integers(-128, 128, shape, np.int8),
        "w_scale": draw.uniform(0.002, 0.03, channels).astype(np.float32),
        "w_zero_point": np.zeros(channels, np.int8),
        "y_scale": np.float32(0.001 * np.sqrt(products)),
        "y_zero_point": np.uint8(draw.integers(256)),
        "B": draw.integers(-9000, 9000, channels, np.int32),
    }


def model_of(conv: Conv, *, stock: bool) -> onnx.ModelProto:
    """By ONNX Runtime's operators, with channels first, or by tundish's one."""
    kind = TensorProto.FLOAT if conv.is_stem else TensorProto.UINT8
    graph = helper.make_graph(
        _stock_nodes(conv) if stock else [_kernel_node(conv)],
        "one",
        [helper.make_tensor_value_info("x", kind, [None] * 4)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [None] * 4)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in conv.constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("tundish", 1)]
    return helper.make_model(graph, ir_version=8, opset_imports=opsets)


def _stock_nodes(conv: Conv) -> list[onnx.NodeProto]:
    names = [name for name in conv.constants if not name.startswith("image")]
    settings: dict[str, Any] = {"strides": conv.strides, "dilations": conv.dilations, "pads": conv.pads}
    if conv.is_stem:
        image = ["x", "image_scale", "image_zero_point"]
        quantize = helper.make_node("QuantizeLinear", image, ["q"], axis=1)
        return [quantize, helper.make_node("QLinearConv", ["q", *names], ["y"], **settings)]
    return [helper.make_node("QLinearConv", ["x", *names], ["y"], group=conv.group, **settings)]


def _kernel_node(conv: Conv) -> onnx.NodeProto:
    settings: dict[str, Any] = {"strides": conv.strides, "pads": conv.pads}
    if not conv.is_stem:
        settings["dilations"] = conv.dilations
    return helper.make_node(conv.operator, ["x", *conv.constants], ["y"], domain="tundish", **settings)


def session_of(model: onnx.ModelProto, *, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.register_custom_ops_library(str(tundish_kernels.onnxruntime_library()))
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def by_stock(conv: Conv, images: NDArray[Any]) -> NDArray[np.uint8]:
    """What ONNX Runtime's own operators make of images that tundish's take, put in their order."""
    given = images if conv.is_stem else images.transpose(0, 3, 1, 2)
    (made,) = session_of(model_of(conv, stock=True)).run(None, {"x": given})
    return np.asarray(made).transpose(0, 2, 3, 1)


def by_kernel(conv: Conv, images: NDArray[Any], *, threads: int = 1) -> NDArray[np.uint8]:
    (made,) = session_of(model_of(conv, stock=False), threads=threads).run(None, {"x": images})
    return np.asarray(made)
