"""The operators of networks against ONNX Runtime's own for the same integers, as graphs of few nodes.

All have channels last, and carry what it costs to run a session at all, some ten microseconds. ONNX Runtime multiplies
words of 16 bits by AVX2 where each channel has a filter, and copies the pixels of each filter together where there are
three channels. `depthwise_conv` lays rows of the image side by side before it multiplies bytes by fours, which takes a
third of its time, and half where it skips every other column. `dense_conv` multiplies matrices by AMX where there is
such, as ONNX Runtime does; without, it is no faster.
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

_GOAL, _STEM_GOAL = 1.5, 2.0


def cases() -> Iterator[Case]:
    """Layers of MobileNetV2 and ResNet, of EfficientNet with its larger kernels, and the stems of the first two."""
    yield _depthwise(112, 32, 3, stride=1)
    yield _depthwise(112, 96, 3, stride=2)
    yield _depthwise(56, 144, 3, stride=1)
    yield _depthwise(14, 576, 3, stride=1)
    yield _depthwise(28, 240, 5, stride=1)
    yield _dense(112, 16, 96, 1)
    yield _dense(56, 144, 24, 1)
    yield _dense(14, 96, 576, 1)
    yield _dense(7, 960, 160, 1)
    yield _dense(56, 64, 64, 3)
    yield _dense(7, 512, 512, 3)
    yield _stem(32, 3)
    yield _stem(64, 7)


def _depthwise(edge: int, channels: int, kernel: int, *, stride: int) -> Case:
    generator = np.random.default_rng(0)
    constants = _constants(generator, (channels, 1, kernel, kernel))
    name = f"depthwise_conv {kernel}² {edge}² x {channels}, stride {stride}"
    images = generator.integers(0, 256, (1, edge, edge, channels), np.uint8)
    return _convolution("QLinearDepthwiseConv", name, constants, images, stride=stride, group=channels)


def _dense(edge: int, reads: int, channels: int, kernel: int) -> Case:
    generator = np.random.default_rng(0)
    constants = _constants(generator, (channels, reads, kernel, kernel))
    name = f"dense_conv {kernel}² {edge}² x {reads} to {channels}"
    images = generator.integers(0, 256, (1, edge, edge, reads), np.uint8)
    return _convolution("QLinearDenseConv", name, constants, images, stride=1, group=1)


def _convolution(
    operator: str, name: str, constants: dict[str, Any], images: NDArray[np.uint8], *, stride: int, group: int
) -> Case:
    pad = constants["w"].shape[2] // 2
    settings: dict[str, Any] = {"strides": [stride] * 2, "pads": [pad] * 4, "dilations": [1, 1]}
    names = list(constants)
    ours = [helper.make_node(operator, ["x", *names], ["y"], domain="tundish", **settings)]
    of_theirs: dict[str, Any] = {**settings, "group": group, "channels_last": 1}
    theirs = [helper.make_node("QLinearConv", ["x", *names], ["y"], domain="com.microsoft", **of_theirs)]
    return _case(name, ours, theirs, constants, images, _GOAL)


def _stem(channels: int, kernel: int) -> Case:
    generator = np.random.default_rng(0)
    of_image: dict[str, NDArray[Any]] = {
        "image_scale": np.array([0.017, 0.0175, 0.0174], np.float32),
        "image_zero": np.array([124, 116, 104], np.uint8),
    }
    of_conv = _constants(generator, (channels, 3, kernel, kernel))
    settings: dict[str, Any] = {"strides": [2, 2], "pads": [kernel // 2] * 4}
    names = list(of_conv)
    inputs = ["x", *of_image, *names]
    ours = [helper.make_node("QLinearStemConv", inputs, ["y"], domain="tundish", **settings)]
    theirs = [
        helper.make_node("QuantizeLinear", ["x", *of_image], ["q"], axis=1),
        helper.make_node("Transpose", ["q"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node(
            "QLinearConv",
            ["last", *names],
            ["y"],
            domain="com.microsoft",
            channels_last=1,
            **settings,
        ),
    ]
    pixels = generator.integers(0, 256, (1, 3, 224, 224))
    zeros, scales = (of_image[name].reshape(1, 3, 1, 1) for name in ("image_zero", "image_scale"))
    images = ((pixels - zeros) * scales).astype(np.float32)
    name = f"stem_conv {kernel}² 224² to {channels}, stride 2"
    return _case(name, ours, theirs, {**of_image, **of_conv}, images, _STEM_GOAL)


def _constants(generator: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Any]:
    channels = shape[0]
    return {
        "x_scale": np.float32(0.02),
        "x_zero": np.uint8(128),
        "w": generator.integers(-127, 128, shape, np.int8),
        "w_scale": np.full(channels, 0.01, np.float32),
        "w_zero": np.zeros(channels, np.int8),
        "y_scale": np.float32(0.02 * np.sqrt(np.prod(shape[1:]))),
        "y_zero": np.uint8(120),
        "biases": generator.integers(-9999, 9999, channels, np.int32),
    }


def _case(
    name: str,
    ours: list[onnx.NodeProto],
    theirs: list[onnx.NodeProto],
    constants: dict[str, Any],
    images: NDArray[Any],
    goal: float,
) -> Case:
    operator, baseline = (GraphCall(nodes, constants, images, TensorProto.UINT8) for nodes in (ours, theirs))
    made = operator()

    def check() -> None:
        if not np.array_equal(operator(), baseline()):
            raise BenchmarkError(f"{name.split()[0]} differs from ONNX Runtime's own operators.")

    return Case(
        name=name,
        operator=operator,
        baseline=baseline,
        baseline_name="ONNX Runtime",
        bytes_moved=images.nbytes + made.nbytes,
        goal=goal,
        check=check,
    )
