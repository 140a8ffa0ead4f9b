"""Vectors of images are those of transformers' pipeline: of a pooling layer, or of the first token where none is."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from numpy.typing import NDArray
from PIL import Image
from support.awkward_images import awkward_images
from support.commands import call_tundish
from support.model_families import IMAGE_FAMILIES, Made, efficientnet, save_family, vit_encoder
from support.server_process import ServerProcess

import tundish
from tundish.client import Client
from tundish.manifest import VectorPostprocess
from tundish.results import FeatureExtraction
from tundish_exporters import ExportError, export_huggingface

COSINE_TOLERANCE = 1e-4

hf: Any = transformers

FAMILIES: dict[str, tuple[Callable[[], Made], str]] = {
    "vit that was trained without a pooler": (IMAGE_FAMILIES["vit"], "first-token"),
    "vit": (vit_encoder, "pooler"),
    "resnet": (IMAGE_FAMILIES["resnet"], "pooler"),
    "convnext": (IMAGE_FAMILIES["convnext that crops"], "pooler"),
    "swin": (IMAGE_FAMILIES["swin"], "pooler"),
    "efficientnet": (efficientnet, "pooler"),
}


def export(source: Path, repository: Path) -> VectorPostprocess:
    exported = export_huggingface(source, task="image-feature-extraction", name="model", repository=repository)
    rule = exported.bundle.manifest.postprocess
    assert isinstance(rule, VectorPostprocess)
    return rule


def expected_vector(source: Path, data: bytes, of: str) -> NDArray[np.float64]:
    """By what a user of transformers writes; shares nothing with the exporter's source."""
    ask: Any = hf.pipeline("image-feature-extraction", model=str(source))
    answer = np.array(ask(Image.open(io.BytesIO(data)), pool=of == "pooler"))
    return answer.ravel() if of == "pooler" else answer[0, 0]


def cosine(first: NDArray[Any], second: NDArray[Any]) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_vector_is_that_of_the_pipeline(family: str, tmp_path: Path, photographs: list[Path]) -> None:
    make, of = FAMILIES[family]
    source = save_family(tmp_path / "source", make())
    assert export(source, tmp_path / "models").of == of
    images = [photographs[0].read_bytes(), *list(awkward_images(photographs[3]).values())[:6]]
    vectors = []
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for data in images:
            result = runtime.predict("model", image=data).result
            assert isinstance(result, FeatureExtraction)
            vectors.append(result.vector)
            assert cosine(result.vector, expected_vector(source, data, of)) >= 1 - COSINE_TOLERANCE
    assert min(cosine(vectors[0], other) for other in vectors[1:]) < 1 - 10 * COSINE_TOLERANCE, "they differ"


def test_a_vector_is_served_in_every_way(tmp_path: Path, photographs: list[Path]) -> None:
    source = save_family(tmp_path / "source", vit_encoder())
    export(source, tmp_path / "models")
    image = photographs[1]
    expected = expected_vector(source, image.read_bytes(), "pooler")
    with ServerProcess(tmp_path / "models", "--instances", "1") as process:
        with Client(process.url) as client:
            result = client.predict("model", image=image).result
            assert isinstance(result, FeatureExtraction)
            (row,) = client.infer("model", {"image": np.array([image.read_bytes()], np.object_)})["embedding"]
        ran = call_tundish("infer", "model", "--image", image, "--url", process.url, "--json")
    for vector in (result.vector, row, np.array(json.loads(ran.stdout)["vector"])):
        assert cosine(vector, expected) >= 1 - COSINE_TOLERANCE


def test_a_network_without_pooler_and_tokens_is_refused(tmp_path: Path) -> None:
    config = hf.SegformerConfig(
        depths=[1, 1], num_encoder_blocks=2, hidden_sizes=[8, 16], sr_ratios=[2, 1], num_attention_heads=[1, 2],
        patch_sizes=[7, 3], strides=[4, 2], mlp_ratios=[2, 2],
    )  # fmt: skip
    model, processor = (
        hf.SegformerModel(config),
        hf.ViTImageProcessor(size={"height": 64, "width": 64}),
    )
    source = save_family(tmp_path / "source", (model, processor))
    with pytest.raises(ExportError, match="'segformer' has neither a pooling layer nor tokens"):
        export(source, tmp_path / "models")
