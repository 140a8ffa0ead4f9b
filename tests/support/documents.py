"""Images of texts, and small ONNX networks that find and read in them what is known."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw, ImageFont

from tundish_exporters.demo.assets import Asset

PP_OCR = Asset(
    package="rapidocr-onnxruntime",
    version="1.4.4",
    sha256="971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
    members=("rapidocr_onnxruntime/models/*.onnx",),
)
"""PP-OCRv4 for Chinese and English (Apache-2.0); nothing else of the package is unpacked."""
DETECTOR = "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx"
DIRECTION = "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"
RECOGNIZER = "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"

COLORS = {"r": (255, 0, 0), "g": (0, 255, 0), "b": (0, 0, 255), "_": (0, 0, 0)}
"""Of the stripes that `write_stripe_reader` reads; `_` is the blank."""
_STRIDE = 8


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def page(
    lines: Sequence[tuple[str, tuple[int, int], int]], size: tuple[int, int] = (640, 400), turn: float = 0
) -> Image.Image:
    """Black texts, each with its upper left corner and the height of its letters, on grey paper of width and height."""
    image = Image.new("RGB", size, (230, 230, 225))
    draw = ImageDraw.Draw(image)
    for text, corner, letters in lines:
        draw.text(corner, text, fill=(20, 20, 40), font=ImageFont.load_default(letters))
    return image.rotate(turn, Image.Resampling.BICUBIC, expand=True, fillcolor=(230, 230, 225)) if turn else image


def blocks(places: Sequence[tuple[int, int, int, int]], size: tuple[int, int]) -> Image.Image:
    """Black rectangles from x, y to x, y on white of width and height: what `write_darkness_detector` finds."""
    image = Image.new("RGB", size, "white")
    for left, top, right, bottom in places:
        image.paste((0, 0, 0), (left, top, right, bottom))
    return image


def stripes(text: str, width: int = 16, height: int = 48) -> Image.Image:
    """A stripe of its colour for each letter of `COLORS`."""
    image = Image.new("RGB", (width * len(text), height))
    for place, letter in enumerate(text):
        image.paste(COLORS[letter], (place * width, 0, (place + 1) * width, height))
    return image


def write_darkness_detector(
    path: Path, *, size: tuple[int | str, int | str] = ("h", "w"), logits: bool = False
) -> Path:
    """A network whose probability of text is how dark pixels are: 0.95 where they are black, next to 0 where white."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["grey", "darkness"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["map"]),
    ]
    output = "logits" if logits else "map"
    constants = {"darkness": np.array(-3, np.float32)}
    shape = ["n", 1, *size]
    return _write(path, nodes[:2] if logits else nodes, ["n", 3, *size], {output: shape}, constants)


def write_stripe_reader(
    path: Path, *, logits: bool = False, width: int | str = "w", metadata: Mapping[str, str] | None = None
) -> Path:
    """A network with a step for each 8 pixels of a line, whose classes are the blank for black, and b, g and r.

    It reads blue, green and red. Constants are nodes, as Paddle's exporter writes them.
    """
    weights = 4 * np.concatenate([-np.ones((3, 1)), np.eye(3) * 2 - np.ones((3, 3))], axis=1).astype(np.float32)
    nodes = [
        helper.make_node("Constant", [], ["weights"], value=numpy_helper.from_array(weights)),
        helper.make_node("AveragePool", ["x"], ["means"], kernel_shape=[48, _STRIDE], strides=[48, _STRIDE]),
        helper.make_node("Squeeze", ["means"], ["columns"], axes=[2]),
        helper.make_node("Transpose", ["columns"], ["steps"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["steps", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=2),
    ]
    output = "logits" if logits else "scores"
    steps = width // _STRIDE if isinstance(width, int) else "s"
    return _write(
        path,
        nodes[:-1] if logits else nodes,
        ["n", 3, 48, width],
        {output: ["n", steps, 4]},
        {},
        opset=12,
        **(metadata or {}),
    )


def underlined(text: str, width: int = 16, height: int = 48) -> Image.Image:
    """Stripes with a black bottom: which way up they are, `write_underline_finder` sees."""
    image = stripes(text, width, height)
    image.paste(COLORS["_"], (0, height - height // 8, *image.size))
    return image


def write_underline_finder(path: Path) -> Path:
    """A network for `0` and `180`: the shares of how much darker than the other the lower or the upper half is."""
    halves = np.repeat([[1.0, -1.0], [-1.0, 1.0]], 24, axis=0).astype(np.float32) * 100 / 24
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["rows"], axes=[1, 3], keepdims=0),
        helper.make_node("MatMul", ["rows", "halves"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["shares"], axis=1),
    ]
    return _write(path, nodes, ["n", 3, "h", "w"], {"shares": ["n", 2]}, {"halves": halves})


def _write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[Any],
    outputs: Mapping[str, Sequence[Any]],
    constants: Mapping[str, NDArray[Any]],
    opset: int = 17,
    **metadata: str,
) -> Path:
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, extents) for name, extents in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path
