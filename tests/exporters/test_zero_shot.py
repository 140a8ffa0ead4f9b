"""Images are compared with labels as transformers' pipeline does it, which runs both towers for every image."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import transformers
from PIL import Image
from support.awkward_images import awkward_images
from support.commands import call_tundish
from support.model_families import IMAGE_FAMILIES, save_family, save_towers
from support.server_process import ServerProcess

import tundish
from tundish.manifest import ClassificationPostprocess, VectorPostprocess
from tundish.results import FeatureExtraction, ImageClassification
from tundish_exporters import ExportError, export_huggingface, export_towers

SCORE_TOLERANCE = 1e-3
LABELS = ("a crack", "a worn roller", "nothing at all", "the strand", "pressure")
TEMPLATE = "There is {} in this picture"
TASK: Any = "zero-shot-image-classification"

hf: Any = transformers


@pytest.fixture(scope="module", params=["clip", "siglip"])
def kind(request: pytest.FixtureRequest) -> Literal["clip", "siglip"]:
    """Of the towers."""
    chosen: Literal["clip", "siglip"] = request.param
    return chosen


@pytest.fixture(scope="module")
def source(kind: Literal["clip", "siglip"], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_towers(tmp_path_factory.mktemp("towers"), kind)


def test_labels_and_scores_are_those_of_the_pipeline(
    source: Path, kind: str, tmp_path: Path, photographs: list[Path]
) -> None:
    ask = hf.pipeline(TASK, model=str(source))
    options: Any = {"task": TASK, "repository": tmp_path / "models", "candidate_labels": LABELS}
    exported = export_huggingface(source, name="plain", **options)
    export_huggingface(source, name="told", hypothesis_template=TEMPLATE, **options)
    rule = exported.bundle.manifest.postprocess
    assert isinstance(rule, ClassificationPostprocess)
    assert rule.function == ("softmax" if kind == "clip" else "sigmoid")

    images = [photographs[0].read_bytes(), *list(awkward_images(photographs[3]).values())[:5]]
    scores = []
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        for data in images:
            for name, template in (("plain", "This is a photo of {}."), ("told", TEMPLATE)):
                result = runtime.predict(name, image=data).result
                assert isinstance(result, ImageClassification)
                expected = ask(
                    Image.open(io.BytesIO(data)), candidate_labels=list(LABELS), hypothesis_template=template
                )
                wanted = {entry["label"]: entry["score"] for entry in expected}
                found = {label.name: label.score for label in result.labels}
                assert found == pytest.approx(wanted, abs=SCORE_TOLERANCE)
                assert result.labels[0].name == expected[0]["label"]
                scores.append([found[label] for label in LABELS])
    assert np.ptp(np.array(scores), axis=0).max() > 10 * SCORE_TOLERANCE, "they depend on the image and on the text"


def test_the_image_tower_alone_gives_its_projection(source: Path, tmp_path: Path, photographs: list[Path]) -> None:
    exported = export_huggingface(source, task="image-feature-extraction", name="tower", repository=tmp_path / "models")
    rule = exported.bundle.manifest.postprocess
    assert isinstance(rule, VectorPostprocess)
    assert rule.of == "projection"
    model, processor = hf.AutoModel.from_pretrained(source), hf.AutoImageProcessor.from_pretrained(source)
    with tundish.open(tmp_path / "models", instances=1) as runtime:
        result = runtime.predict("tower", image=photographs[2]).result
    assert isinstance(result, FeatureExtraction)
    expected = (
        model.get_image_features(**processor(Image.open(photographs[2]), return_tensors="pt"))[0].detach().numpy()
    )
    np.testing.assert_allclose(result.vector, expected, rtol=0, atol=1e-3 * np.abs(expected).max())


def test_the_command_exports_and_a_server_answers(
    tmp_path_factory: pytest.TempPathFactory, photographs: list[Path]
) -> None:
    root = tmp_path_factory.mktemp("served")
    source = save_towers(root / "towers", "clip")
    made = call_tundish(
        *("export", source, "--task", TASK, "--name", "towers", "--repository", root / "models"),
        *("--candidate-labels", ", ".join(LABELS), "--search-minutes", "0"),
    )
    assert made.returncode == 0, made.stderr
    with ServerProcess(root / "models", "--instances", "1") as process:
        shown = call_tundish("infer", "towers", "--image", photographs[0], "--url", process.url)
    assert shown.returncode == 0, shown.stderr
    assert all(label in shown.stdout for label in LABELS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "compares images with labels: pass --candidate-labels"),
        ({"candidate_labels": []}, "compares images with labels: pass --candidate-labels"),
        ({"candidate_labels": ["a", "a"]}, "The label 'a' stands twice"),
        ({"candidate_labels": ["a"], "hypothesis_template": "no place"}, r"must have one \{\}, where the label comes"),
        (
            {"candidate_labels": ["a"], "task": "image-classification"},
            "are for zero-shot-image-classification, not image",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(options: Any, said: str, tmp_path: Path) -> None:
    source = save_towers(tmp_path / "towers", "clip")
    with pytest.raises(ExportError, match=said):
        export_huggingface(source, **({"task": TASK, "name": "model", "repository": tmp_path / "models"} | options))


@pytest.mark.parametrize("labels", [["a crack"], None])
def test_fewer_positions_than_siglips_texts_are_padded_to_are_refused(labels: Any, tmp_path: Path) -> None:
    source = save_towers(tmp_path / "towers", "siglip")
    config = hf.AutoConfig.from_pretrained(source)
    config.text_config.max_position_embeddings = 24
    hf.SiglipModel(config).save_pretrained(source)
    given: Any = {"name": "model", "repository": tmp_path / "models"}
    with pytest.raises(ExportError) as raised:
        if labels is None:
            export_towers(source, **given)
        else:
            export_huggingface(source, task=TASK, candidate_labels=labels, **given)
    assert str(raised.value) == (
        "text_config.max_position_embeddings is 24, and SigLIP's texts are padded to 64 tokens; give a network with 64 "
        "positions or more."
    )


def test_a_network_without_towers_is_refused(tmp_path: Path) -> None:
    source = save_family(tmp_path / "source", IMAGE_FAMILIES["vit"]())
    with pytest.raises(ExportError, match="architecture 'vit', which does not do zero-shot-image-classification"):
        export_huggingface(
            source, task=TASK, name="model", repository=tmp_path / "models", candidate_labels=["a crack"]
        )
