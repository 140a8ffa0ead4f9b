"""Bundles made by hand, small enough to make one for each test: a one-node ONNX graph that classifies images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tundish.bundle import MANIFEST_NAME, Bundle, _digest, describe_file, publish_bundle, staged_bundle
from tundish.manifest import (
    ClassificationPostprocess,
    Gate,
    ImagePreprocess,
    Latency,
    Manifest,
    Serving,
    Source,
    StretchResize,
    TensorSpec,
    Variant,
)

LABELS = ("red", "green", "blue")
SIZE = 4


def write_color_network(path: Path) -> None:
    """A network whose logits are the means of the three colour channels of `[batch, 3, 4, 4]`."""
    shape: list[str | int | None] = ["batch", 3, SIZE, SIZE]
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["means", "ten"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colors",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(np.array(10, np.float32), "ten")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def write_network_that_fails_on_blue(path: Path) -> None:
    """The same network, whose logits are NaN for an image that is more than half blue; others of its batch are not."""
    write_color_network(path)
    model = onnx.load(path)
    graph = model.graph
    graph.node[-1].output[0] = "scaled"
    graph.node.extend(
        [
            helper.make_node("Gather", ["means", "blue"], ["blueness"], axis=1),
            helper.make_node("Sub", ["half", "blueness"], ["below_half"]),
            helper.make_node("Sqrt", ["below_half"], ["root"]),
            helper.make_node("Mul", ["root", "zero"], ["zero_or_nan"]),
            helper.make_node("Add", ["scaled", "zero_or_nan"], ["logits"]),
        ]
    )
    constants = {"blue": np.array([2]), "half": np.array(0.5, np.float32), "zero": np.array(0, np.float32)}
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    onnx.save(model, path)


def rewrite_manifest(directory: Path, **changes: Any) -> None:
    """Changes a bundle's manifest, and gives it the digest that the changed content has."""
    path = directory / MANIFEST_NAME
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(content | {"digest": _digest(content)}))


def make_bundle(
    repository: Path,
    name: str = "colors",
    version: int = 1,
    write_network: Callable[[Path], None] = write_color_network,
    **serving: Any,
) -> Bundle:
    """Publishes a bundle that tells red, green and blue images apart."""
    with staged_bundle(repository, name) as staging:
        write_network(staging / "model.onnx")
        manifest = Manifest(
            model=name,
            version=version,
            task="image-classification",
            source=Source(kind="module", files={}, frameworks={}),
            inputs=(TensorSpec(name="pixel_values", datatype="FP32", shape=("batch", 3, SIZE, SIZE)),),
            outputs=(TensorSpec(name="logits", datatype="FP32", shape=("batch", 3)),),
            preprocess=ImagePreprocess(
                resize=StretchResize(height=SIZE, width=SIZE),
                crop=None,
                rescale=1 / 255,
                mean=(0.0, 0.0, 0.0),
                std=(1.0, 1.0, 1.0),
            ),
            postprocess=ClassificationPostprocess(labels=LABELS, function="softmax"),
            assets=(),
            variants=(
                Variant(
                    name="onnx-fp32-cpu",
                    engine="onnx",
                    precision="fp32",
                    device="cpu",
                    recipe="by hand",
                    files=(describe_file(staging, "model.onnx"),),
                    accuracy=None,
                    latency=Latency(median_milliseconds=0.1, p90_milliseconds=0.1, batch_size=1, runs=1),
                    gate=Gate(passed=True, max_drop=0.0, reason="The network is its own source."),
                ),
            ),
            serving=Serving(**{"max_batch_size": 4, **serving}),
        )
        return publish_bundle(staging, manifest)
