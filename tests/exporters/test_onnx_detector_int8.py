"""What int8 leaves of a detector: its boxes, since what follows the last layers stays in float."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tundish.engines.onnx import OnnxEngine
from tundish_exporters import OnnxHints
from tundish_exporters.progress import silent
from tundish_exporters.quantize import apply
from tundish_exporters.quantize.static import StaticRecipe
from tundish_exporters.sources.onnx_file import load_onnx

LABELS = ("crack", "scratch", "dent")
EDGE, CHANNELS, PROTOTYPES = 64, 16, 6


def write_network(path: Path, *, masks: bool = False) -> Path:
    """Convolutions and a head as YOLOv8's: a distribution over distances, decoded, in one tensor with the scores.

    A small convolution makes the mean of the distribution, and the grid's size comes by way of a Shape. With `masks`,
    the weights of prototypes follow the scores, and these are another output, behind an activation.
    """
    more = PROTOTYPES if masks else 0
    draw = np.random.default_rng(1)
    bins, cells = 16, EDGE // 8
    weights = {
        "w1": draw.normal(0, 0.4, (CHANNELS, 3, 3, 3)),
        "w2": draw.normal(0, 0.2, (CHANNELS, CHANNELS, 3, 3)),
        "w3": draw.normal(0, 0.2, (CHANNELS, CHANNELS, 3, 3)),
        "w4": draw.normal(0, 0.5, (4 * bins + 3 + more, CHANNELS, 1, 1)),
        "w5": draw.normal(0, 0.3, (PROTOTYPES, CHANNELS, 3, 3)),
        "mean": np.arange(bins).reshape(1, bins, 1, 1),
        "cells": np.indices((cells, cells))[::-1].reshape(1, 2, -1) + 0.5,
        "stride": np.array(8),
        "half": np.array(0.5),
    }
    constants = {
        "split": np.array([4 * bins, 3, more] if masks else [4 * bins, 3]),
        "pairs": np.array([2, 2]),
        "four": np.array([0, 4, bins, -1]),
    }
    constants |= {"flat": np.array([0, 4, -1]), "rows": np.array([0, 4 * bins + 3 + more, -1]), "batch": np.array([0])}

    def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(operator, inputs.split(), outputs.split(), name=f"{operator}_{outputs}", **attributes)

    nodes = [
        node("Conv", "images w1", "c1", strides=[2, 2], pads=[1] * 4),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 w2", "c2", strides=[2, 2], pads=[1] * 4),
        node("Sigmoid", "c2", "s2"),
        node("Mul", "c2 s2", "r2"),
        node("Conv", "r2 w3", "c3", strides=[2, 2], pads=[1] * 4),
        node("Relu", "c3", "r3"),
        node("Conv", "r3 w4", "maps"),
        node("Shape", "r3", "extents"),
        node("Gather", "extents batch", "count"),
        node("Reshape", "maps rows", "columns"),
        node("Split", "columns split", "edges logits weights" if masks else "edges logits", axis=1),
        node("Reshape", "edges four", "bins"),
        node("Transpose", "bins", "turned", perm=[0, 2, 1, 3]),
        node("Softmax", "turned", "shares", axis=1),
        node("Conv", "shares mean", "distances"),
        node("Reshape", "distances flat", "sides"),
        node("Split", "sides pairs", "before behind", axis=1),
        node("Sub", "cells before", "first"),
        node("Add", "cells behind", "second"),
        node("Add", "first second", "sum"),
        node("Mul", "sum half", "centres"),
        node("Sub", "second first", "sizes"),
        node("Concat", "centres sizes", "boxes", axis=1),
        node("Mul", "boxes stride", "pixels"),
        node("Sigmoid", "logits", "scores"),
        node("Concat", "pixels scores weights" if masks else "pixels scores", "output0", axis=1),
    ]
    outputs = [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["n", 7 + more, cells * cells])]
    if masks:
        nodes += [
            node("Conv", "r2 w5", "c5", pads=[1] * 4),
            node("Sigmoid", "c5", "s5"),
            node("Mul", "c5 s5", "output1"),
        ]
        quarter = EDGE // 4
        shape: list[int | str | None] = ["n", PROTOTYPES, quarter, quarter]
        outputs.append(helper.make_tensor_value_info("output1", TensorProto.FLOAT, shape))
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, EDGE, EDGE])],
        outputs,
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
        + [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def images() -> list[bytes]:
    files = []
    for seed in range(6):
        stream = io.BytesIO()
        colors = np.random.default_rng(seed).integers(0, 256, (9, 11, 3), np.uint8)
        Image.fromarray(colors).resize((90, 70)).save(stream, "PNG")
        files.append(stream.getvalue())
    return files


def test_boxes_and_scores_survive(tmp_path: Path, images: list[bytes]) -> None:
    source = load_onnx(write_network(tmp_path / "m.onnx"), "object-detection", OnnxHints(labels=LABELS))
    floating, int8 = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    source.write_onnx(floating)
    inputs = [source.processed(image) for image in images]
    apply(StaticRecipe(), floating, int8, inputs, silent)
    engines = [OnnxEngine(path, threads=1) for path in (floating, int8)]
    for given in inputs:
        expected, actual = (
            {name: np.asarray(rows, np.float64) for name, rows in engine.run(given).items()} for engine in engines
        )
        boxes = np.abs(expected["boxes"] - actual["boxes"])
        assert boxes.mean() < 0.5
        assert np.abs(expected["scores"] - actual["scores"]).mean() < 0.02


def test_masks_survive(tmp_path: Path, images: list[bytes]) -> None:
    source = load_onnx(write_network(tmp_path / "m.onnx", masks=True), "image-segmentation", OnnxHints(labels=LABELS))
    floating, int8 = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    source.write_onnx(floating)
    inputs = [source.processed(image) for image in images]
    apply(StaticRecipe(), floating, int8, inputs, silent)
    for given in inputs:
        expected, actual = (
            np.einsum(
                "bkn,bkhw->bnhw", *(np.asarray(answer[name], np.float64) for name in ("coefficients", "prototypes"))
            )
            for answer in (OnnxEngine(path, threads=1).run(given) for path in (floating, int8))
        )
        first, second = expected > 0, actual > 0
        assert (first & second).sum() / (first | second).sum() > 0.95
        assert 0.1 < first.mean() < 0.9


def test_what_follows_the_last_layer_is_in_float(tmp_path: Path, images: list[bytes]) -> None:
    source = load_onnx(write_network(tmp_path / "m.onnx"), "object-detection", OnnxHints(labels=LABELS))
    source.write_onnx(tmp_path / "float.onnx")
    inputs = [source.processed(image) for image in images]
    apply(StaticRecipe(), tmp_path / "float.onnx", tmp_path / "int8.onnx", inputs, silent)
    graph = onnx.load(tmp_path / "int8.onnx").graph
    quantised = {name for node in graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    reads = {node.name: bool(quantised & set(node.input)) for node in graph.node}
    assert reads["Conv_c2"]
    assert reads["Conv_c3"]
    assert not any(read for name, read in reads.items() if name.split("_")[0] in ("Softmax", "Concat", "Split", "Sub"))
    assert not reads["Conv_distances"]
    assert not reads["Sigmoid_scores"]
