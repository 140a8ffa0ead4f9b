"""A hand-made bundle of several variants: of the network of `support.bundles`, and of ones that are wrong about it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import onnx
from onnx import helper, numpy_helper

from support.bundles import make_bundle, write_color_network
from tundish.bundle import Bundle, describe_file, publish_bundle, staged_bundle
from tundish.manifest import Accuracy, EngineName, Precision, Variant

Kind = Literal["same", "rounded", "negated", "NaN", "green is red"]

_MATRICES: dict[Kind, np.ndarray] = {
    "same": np.eye(3),
    "rounded": np.eye(3) + np.array([[0, 0.02, 0], [0, 0, -0.02], [0.01, 0, 0]]),
    "negated": -np.eye(3),
    "NaN": np.full((3, 3), np.nan),
    "green is red": np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1]]),
}
"""What logits are multiplied by."""


def make_variants(
    repository: Path,
    kinds: Mapping[str, Kind],
    *,
    name: str = "colors",
    accuracy: Accuracy | None = None,
    failed: str | None = None,
) -> Bundle:
    """Publishes `onnx-fp32-cpu`, unless it is another kind that is right, and variants of these names and kinds.

    `accuracy` is what the bundle says of the others; `failed` names one more that did not pass the gate.
    """
    with tempfile.TemporaryDirectory() as scratch:
        template = make_bundle(Path(scratch), name).manifest
    (floating,) = template.variants
    with staged_bundle(repository, name) as staging:
        variants: list[Variant] = []
        all_kinds: dict[str, Kind] = {floating.name: "same", **kinds}
        for number, (named, kind) in enumerate(all_kinds.items()):
            file = f"model{number}.onnx"
            _write(staging / file, kind)
            engine, precision, _ = named.split("-")
            changes = {
                "name": named,
                "engine": _one_of(engine, EngineName),
                "precision": _one_of(precision, Precision),
                "files": (describe_file(staging, file),),
                "accuracy": None if named == floating.name else accuracy,
            }
            variants.append(floating.model_copy(update=changes))
        if failed is not None:
            gate = floating.gate.model_copy(update={"passed": False})
            variants.append(floating.model_copy(update={"name": failed, "files": (), "gate": gate}))
        return publish_bundle(staging, template.model_copy(update={"variants": tuple(variants)}))


def _one_of(text: str, values: object) -> str:
    assert text in get_args(values)
    return text


def _write(path: Path, kind: Kind) -> None:
    write_color_network(path)
    model = onnx.load(path)
    graph = model.graph
    graph.node[-1].output[0] = "right"
    graph.node.append(helper.make_node("MatMul", ["right", "mixing"], ["logits"]))
    graph.initializer.append(numpy_helper.from_array(_MATRICES[kind].astype(np.float32), "mixing"))
    onnx.save(model, path)
