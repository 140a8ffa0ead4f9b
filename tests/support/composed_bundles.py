"""A composed bundle made by hand: how much of an image's mean colour is that of each label that comes with it?

Its two networks have one node each: the vector of an image is its mean colour, that of a text the sum of the colours
that it names. A label that names none has the score of one that lies across.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from support.bundles import SIZE, rewrite_manifest
from support.images import COLORS
from support.wordpiece import hugging_face_tokenizer
from tundish.bundle import (
    MANIFEST_NAME,
    ComposedBundle,
    component_directory,
    component_name,
    describe_file,
    publish_bundle,
    staged_bundle,
    write_manifest,
)
from tundish.manifest import (
    Component,
    Composition,
    Gate,
    ImagePreprocess,
    Latency,
    Manifest,
    Serving,
    SimilarityPostprocess,
    Source,
    Step,
    StretchResize,
    TensorSpec,
    TextPreprocess,
    Variant,
    VectorPostprocess,
)

SCALE = 4.0
_NAMES = tuple(COLORS)
_SOURCE = Source(kind="module", files={}, frameworks={})
_PASSED = Gate(passed=True, max_drop=0.0, reason="The network is its own source.")
STEPS = (
    Step(name="image_vector", component="image", inputs=("image",)),
    Step(
        name="text_vectors",
        component="text",
        inputs=("candidate_labels",),
        for_each="candidate_labels",
        remembered=4,
    ),
)


def make_composed_bundle(
    repository: Path, name: str = "towers", version: int = 1, *, scale: float = SCALE, **changes: Any
) -> ComposedBundle:
    """Publishes it; `changes` are of its manifest."""
    with staged_bundle(repository, name) as staging:
        components = []
        for component, write in {"image": _write_image_tower, "text": _write_text_tower}.items():
            directory = component_directory(staging, component)
            directory.mkdir(parents=True)
            write(directory, component_name(name, component), version)
            bundle = describe_file(staging, f"components/{component}/{MANIFEST_NAME}")
            components.append(Component(name=component, bundle=bundle))
        settings: dict[str, Any] = {
            "model": name,
            "version": version,
            "task": "zero-shot-image-classification",
            "reads": ("image", "candidate_labels"),
            "source": _SOURCE,
            "assets": (),
            "components": tuple(components),
            "steps": STEPS,
            "postprocess": SimilarityPostprocess(function="softmax", scale=scale, template="something {}"),
            "accuracy": None,
            "gate": _PASSED,
        }
        return publish_bundle(staging, Composition(**{**settings, **changes}))


def accept_components(bundle: ComposedBundle, **changes: Any) -> None:
    """Has the whole name its components as they now are, and changes it besides."""
    places = {name: f"components/{name}/{MANIFEST_NAME}" for name in bundle.components}
    components = [
        {"name": name, "bundle": describe_file(bundle.directory, place).model_dump()} for name, place in places.items()
    ]
    rewrite_manifest(bundle.directory, **{"components": components, **changes})


def expected_scores(color: str, labels: Sequence[str], scale: float = SCALE) -> dict[str, float]:
    """What the bundle answers of a plain image of the colour, by hand."""
    image = np.array(COLORS[color], np.float64)
    named = [np.array([name in label.split() for name in _NAMES], np.float64) for label in labels]
    logits = [scale * image @ text / np.linalg.norm(image) / max(np.linalg.norm(text), 1e-30) for text in named]
    exponentials = np.exp(logits)
    return dict(zip(labels, (exponentials / exponentials.sum()).tolist(), strict=True))


def _write_image_tower(directory: Path, model: str, version: int) -> None:
    shape = ("batch", 3, SIZE, SIZE)
    node = helper.make_node("ReduceMean", ["pixel_values"], ["embedding"], axes=[2, 3], keepdims=0)
    _write_network(directory, [node], ("pixel_values", TensorProto.FLOAT, shape), [])
    manifest = _manifest(
        directory,
        model=model,
        version=version,
        task="image-feature-extraction",
        inputs=(TensorSpec(name="pixel_values", datatype="FP32", shape=shape),),
        preprocess=ImagePreprocess(
            resize=StretchResize(height=SIZE, width=SIZE),
            crop=None,
            rescale=1 / 255,
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
        ),
    )
    write_manifest(directory, manifest)


def _write_text_tower(directory: Path, model: str, version: int) -> None:
    tokenizer = hugging_face_tokenizer(template=None, extra=_NAMES)
    tokenizer.save(str(directory / "tokenizer.json"))
    table = np.zeros((tokenizer.get_vocab_size(), 3), np.float32)
    for place, name in enumerate(_NAMES):
        table[tokenizer.token_to_id(name), place] = 1
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"]),
        helper.make_node("ReduceSum", ["vectors", "axes"], ["embedding"], keepdims=0),
    ]
    constants = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([1]), "axes")]
    _write_network(directory, nodes, ("input_ids", TensorProto.INT64, ("batch", "tokens")), constants)
    manifest = _manifest(
        directory,
        model=model,
        version=version,
        task="feature-extraction",
        inputs=(TensorSpec(name="input_ids", datatype="INT64", shape=("batch", "tokens")),),
        preprocess=TextPreprocess(maximum_tokens=16),
        assets=(describe_file(directory, "tokenizer.json"),),
    )
    write_manifest(directory, manifest)


def _write_network(directory: Path, nodes: list[Any], given: tuple[str, int, Any], constants: list[Any]) -> None:
    name, datatype, shape = given
    inputs = [helper.make_tensor_value_info(name, datatype, shape)]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 3])]
    graph = helper.make_graph(nodes, "tower", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, directory / "model.onnx")


def _manifest(directory: Path, **fields: Any) -> Manifest:
    settings: dict[str, Any] = {
        "source": _SOURCE,
        "outputs": (TensorSpec(name="embedding", datatype="FP32", shape=("batch", 3)),),
        "postprocess": VectorPostprocess(of="projection"),
        "assets": (),
        "variants": (
            Variant(
                name="onnx-fp32-cpu",
                engine="onnx",
                precision="fp32",
                device="cpu",
                recipe="by hand",
                files=(describe_file(directory, "model.onnx"),),
                accuracy=None,
                latency=Latency(median_milliseconds=0.1, p90_milliseconds=0.1, batch_size=1, runs=1),
                gate=_PASSED,
            ),
        ),
        "serving": Serving(max_batch_size=4),
    }
    return Manifest(**{**settings, **fields})
